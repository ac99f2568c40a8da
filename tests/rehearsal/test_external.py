"""`--base-url` against a server that runs already: what it can decide is decided, the rest is not measured."""

from pathlib import Path

import pytest

from fixtures.evidence.events import ClaimsSelected
from fixtures.judge.verdict import judge_claim
from fixtures.lmdeploy.capabilities import Capabilities
from fixtures.report.verification import verify
from fixtures.run.claims import declared
from fixtures.server.api_server import RunningServer
from tests.contracts.conftest import Start
from tests.rehearsal.conftest import Run, run_suite

KEY = "sk-of-the-rehearsal"
OWNED = ("environment.recorded", "quantization.", "vram.", "server.requires_key")
"""Claims about what lies behind an API: files, process and memory."""


@pytest.fixture(scope="module")
def run(server: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_suite(tmp_path_factory.mktemp("external"), f"--base-url={server.base_url}", "-m", "gpu")


def test_claims_behind_the_api_are_not_measured_and_the_others_are_decided(run: Run) -> None:
    selected = [id_ for event in run.summary.all(ClaimsSelected) for id_ in event.selected]
    decided = {id_: judge_claim(run.summary.shown, declared(id_)) for id_ in selected}
    owned = {id_ for id_ in decided if id_.startswith(OWNED)}
    assert {decided[id_].state for id_ in owned} == {"skipped"}
    others = {id_: found.state for id_, found in decided.items() if id_ not in owned}
    assert set(others.values()) == {"passed"}, f"{others}\n{run.output[-3000:]}"
    assert {"chat.replies_in_chinese", "server.named_model", "tools.chain"} <= set(others)


def test_run_from_outside_accepts_no_deployment(run: Run) -> None:
    """No claim failed, and yet no verdict can be given on files, memory and process that were not seen."""
    verdict = run.summary.verdict
    assert verdict.outcome == "not_accepted"
    codes = {reason.code for reason in verdict.reasons}
    assert {"claim_skipped", "no_server", "model_unknown"} <= codes
    assert not codes & {"claim_failed", "beyond_failed"}
    assert not verify(run.folder).problems
    assert run.status == 0, run.output[-3000:]


def test_key_opens_a_guarded_server_and_is_kept_nowhere(
    start: Start, capabilities: Capabilities, tmp_path: Path
) -> None:
    with start(capabilities, key=KEY) as guarded:
        options = (f"--base-url={guarded.base_url}", "-m", "gpu", "-k", "names_the_model or calls_add", "--api-key")
        right = run_suite(tmp_path / "right", *options, KEY)
        wrong = run_suite(tmp_path / "wrong", *options, "another")
    assert "2 passed" in right.output
    kept = b"".join(file.read_bytes() for file in right.folder.rglob("*") if file.is_file())
    assert KEY.encode() not in kept
    assert wrong.status != 0
    assert "--api-key" in wrong.output
