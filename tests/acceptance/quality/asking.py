"""Ask every server of the comparison in turn: start it, score the text, ask for next tokens, try chains, stop it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from fixtures.ask.load import Endpoint
from fixtures.ask.questions import GREEDY, Topic, chain
from fixtures.ask.scoring import ScoringEndpoint
from fixtures.ask.tool_calls import try_topic
from fixtures.ask.trial_runs import Judged, run_all
from fixtures.client.client import Client
from fixtures.errors import GpuError
from fixtures.gpu.memory_model import Geometry
from fixtures.gpu.sampler import wait_released
from fixtures.judge.profile import CONCURRENCY
from fixtures.judge.trials import all_of
from fixtures.server.api_server import RunningServer
from fixtures.server.in_turn import BF16, HOMEWORK, W4A16, W4A16_INT8, Configuration, InTurn
from tests.acceptance.quality.events import QualityAsked, QualityMeasured
from tests.acceptance.quality.limits import FIRST_TRIALS, PROMPTS, REHEARSED_PROMPTS, TRIALS
from tests.acceptance.quality.passages import Encode, Prompt, Tokens, fingerprint, passages, prompts, tokens
from tests.acceptance.quality.result import Quality

COMPARED: Final = (BF16, W4A16, W4A16_INT8, HOMEWORK)
"""Each differs from the one before it in one thing; all have the run's own share of memory for the cache."""

CHAINS: Final = Topic(chain, sampling=GREEDY)
"""Two-step chains for comparing servers: greedy, so that what differs is the server."""
CHAINS_NAME: Final = "quality.chains"


@dataclass(frozen=True)
class Questions:
    """What every server is asked: the same token ids, whoever made them."""

    texts: tuple[Tokens, ...]
    prompts: tuple[Prompt, ...]

    @staticmethod
    def read(encode: Encode, count: int) -> Questions:
        """Read the fixed text as a tokenizer cuts it, with `count` prompts of each passage."""
        texts = tuple(tokens(passage, encode) for passage in passages())
        return Questions(texts, tuple(prompt for text in texts for prompt in prompts(text, count)))

    def event(self, trials: int) -> QualityAsked:
        """Return what is recorded of them: no words, which are in the repository."""
        return QualityAsked(
            fingerprint=fingerprint(),
            passages=[[text.part, len(text.ids) - 1] for text in self.texts if text.scored],
            prompts=[[prompt.part, prompt.following] for prompt in self.prompts],
            trials=trials,
        )


def compare(in_turn: InTurn, geometry: Geometry, unquantized: Path, quantized: Path) -> Quality:
    """Start and ask the servers one after the other; everything that they answer is in the evidence.

    :param unquantized: folder of the checkpoint as it came, with a chat template that shows tools.
    :raises AcceptanceError: a server does not start, dies, does not answer, or its memory does not come back.
    """
    sampler, settings = in_turn.sampler, in_turn.settings
    prompts_each = REHEARSED_PROMPTS if settings.rehearse else PROMPTS
    questions: Questions | None = None
    asked: QualityAsked | None = None
    measured: list[QualityMeasured] = []
    for compared in COMPARED:
        configuration = replace(compared, share=settings.cache_max_entry_count)
        first = compared == BF16
        idle = sampler.begin(f"{configuration.id}.idle") if sampler else None
        with in_turn.serving(configuration, unquantized if first else quantized) as turn:
            vram_mib = round(sampler.begin(f"{configuration.id}.ready")) if sampler else None
            began, server = time.monotonic(), turn.server
            scoring = ScoringEndpoint(Endpoint.of(server), settings.request_timeout)
            with in_turn.progress.stage(configuration.id):
                questions = questions or Questions.read(scoring.encode, prompts_each)
                # The unquantized server is asked twice: what differs then is noise.
                askings = range(2 if first else 1)
                losses = [[scoring.loss(text.ids) for text in questions.texts if text.scored] for _ in askings]
                with ThreadPoolExecutor(CONCURRENCY, thread_name_prefix="prompt") as pool:
                    prefixes = [prompt.ids for prompt in questions.prompts]
                    next_tokens = [list(pool.map(scoring.next_token, prefixes)) for _ in askings]
                right = _chains(in_turn, server, configuration, range(1, FIRST_TRIALS + 1))
                if asked is None:
                    asked = questions.event(TRIALS if any(right) and not settings.rehearse else FIRST_TRIALS)
                    in_turn.evidence.append(asked)
                right += _chains(in_turn, server, configuration, range(FIRST_TRIALS + 1, asked.trials + 1))
            says_tokens = sampler is not None and settings.backend == "turbomind"
            answered = QualityMeasured(
                name=configuration.title,
                argv=list(turn.argv),
                losses=losses,
                next_tokens=next_tokens,
                right=right,
                vram_mib=vram_mib,
                kv_tokens=turn.cache(geometry, configuration.knobs(settings.tp)).tokens if says_tokens else None,
                start_seconds=server.started_seconds,
                seconds=round(time.monotonic() - began, 3),
            )
        in_turn.evidence.append(answered)
        measured.append(answered)
        if sampler is not None and idle is not None:
            # Without the memory the next server's could not be measured.
            release, where = wait_released(sampler.last_mib, idle), configuration.title
            if not release.complete:
                raise GpuError("quality_memory_not_back", where=where, mib=release.used_mib, seconds=release.seconds)
    assert asked is not None
    return Quality(asked, tuple(measured))


def _chains(in_turn: InTurn, server: RunningServer, configuration: Configuration, numbers: range) -> list[bool]:
    """Try the chains of these numbers; whether each was right."""

    def attempt(client: Client, number: int) -> Judged:
        return try_topic(client, CHAINS, CHAINS_NAME, numbers[number - 1], in_turn.capabilities)

    with closing(Client(server, in_turn.settings.request_timeout, in_turn.evidence.append)) as client:
        name = f"{CHAINS_NAME}.{configuration.id}"
        outcome = run_all(client, in_turn.evidence, name, attempt, all_of(len(numbers)))
    return list(outcome.rights)
