"""What broke it: comes last, when the deployment is gone, and starts only as many servers as are needed to tell."""

import time
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import pytest

from fixtures.ask.load import Endpoint
from fixtures.client.client import Client
from fixtures.errors import AcceptanceError
from fixtures.evidence import Evidence, read
from fixtures.evidence.events import CONTROL_PHASE, ArtefactVerified, ServerReady
from fixtures.gpu.plugin import mark
from fixtures.homework import CLAIMS
from fixtures.judge.verdict import Happened, judge_claim
from fixtures.model.checkpoint import Checkpoint
from fixtures.model.plain_copy import plain_copy
from fixtures.model.quantization import QuantizedCheckpoint
from fixtures.run.claims import declared
from fixtures.run.measurement import assert_no_fault, not_measured
from fixtures.server.in_turn import BF16, ENGINES, Configuration, InTurn
from fixtures.texts import message
from tests.acceptance.explain.asking import (
    REHEARSED_TRIALS,
    TRIALS,
    answers,
    greedy,
    is_about_content,
    kinds,
    tools_reach_the_prompt,
)
from tests.acceptance.explain.cause import causes, next_server
from tests.acceptance.explain.events import SearchBegun, ServerTried

pytestmark = [pytest.mark.gpu, pytest.mark.explain]


def failed_claims(run: Happened) -> list[str]:
    """List the homework's claims about content that have failed in this run so far."""
    about = (declared(id_) for id_ in CLAIMS if is_about_content(id_))
    return [claim.id for claim in about if judge_claim(run, claim).state in ("failed", "undecided")]


def test_what_broke_it_is_found(
    checkpoint: Checkpoint, quantized: QuantizedCheckpoint, in_turn: InTurn, evidence: Evidence
) -> None:
    """Each server is asked the same questions with the same seeds; they differ in one ingredient."""
    run = Happened(tuple(read(evidence.folder)))
    failed, served = failed_claims(run), bool(run.of(ServerReady))
    if not failed or not served:
        not_measured("nothing_to_explain" if served else "nothing_served")
    settings = in_turn.settings
    own = Configuration("w4a16", settings.quant_policy, settings.cache_max_entry_count, settings.backend)
    begun = SearchBegun(
        claims=failed,
        findings=[finding for event in run.of(ArtefactVerified) for finding in event.findings],
        served=asdict(own),
        other_engine="" if settings.rehearse else next(name for name in ENGINES if name != settings.backend),
        known=[message(f"family.breaks.{one}").as_json() for one in checkpoint.family.known_to_break],
    )
    evidence.append(begun)
    mark(in_turn.sampler, CONTROL_PHASE)
    plain = plain_copy(checkpoint, settings.work_dir / "explain", in_turn.capabilities)
    asked, tried = kinds(failed), list[ServerTried]()
    while configuration := next_server(begun, tried, asked):
        folder = plain if configuration.weights == BF16.weights else quantized.folder
        tried.append(_try(in_turn, configuration, folder, asked))
        evidence.append(tried[-1])
    untold = [cause.told for cause in causes(begun, tried, asked) if cause.id == "not_started"]
    assert_no_fault(untold[0] if untold else None)


def _try(in_turn: InTurn, configuration: Configuration, folder: Path, asked: list[str]) -> ServerTried:
    """Serve the checkpoint in a way, and ask. A server that does not start, or dies, tells that."""
    began, settings = time.monotonic(), in_turn.settings
    found = ServerTried(
        configuration.title, configuration.weights, configuration.quant_policy, configuration.backend, [], {}, {}, None,
        0.0, 0.0,
    )  # fmt: skip
    fields = asdict(found)
    try:
        with (
            in_turn.serving(configuration, folder) as turn,
            in_turn.progress.stage("explain"),
            closing(Client(turn.server, settings.request_timeout, in_turn.evidence.append)) as client,
        ):
            fields |= {"argv": list(turn.argv), "start_seconds": turn.server.started_seconds}
            trials = REHEARSED_TRIALS if settings.rehearse else TRIALS
            given = answers(client, in_turn.evidence, configuration.id, asked, in_turn.capabilities, trials)
            fields["greedy"] = greedy(client, Endpoint.of(turn.server), asked, settings.request_timeout)
            fields["prompt_grows"] = tools_reach_the_prompt(client)
            fields["answers"] = given
    except AcceptanceError as error:
        fields["failed"] = error.as_json()
    fields["seconds"] = round(time.monotonic() - began, 3)
    return ServerTried(**fields)
