"""Only a run in which every claim passed may be accepted; everything else is named, in order."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fixtures.evidence.events import (
    CheckpointIdentified,
    ClaimsSelected,
    Entry,
    Event,
    Exchanged,
    Measured,
    RunFinished,
    RunStarted,
    ServerLaunched,
    ServerStopped,
    TestFinished,
    TryJudged,
)
from fixtures.homework import CLAIMS
from fixtures.judge.verdict import Reason, Verdict, judge
from fixtures.texts import message
from tests.unit.report.synthetic import LOG, first, rehearsal

TRIED = ("tools.add", "tools.multiply", "tools.chain")
Change = Callable[[Event], "Event | None"]


REAL = first(CheckpointIdentified)
STANDIN = replace(REAL, origin="standin", geometry="standin")


def run(model: CheckpointIdentified = REAL, rehearsed: bool = False) -> list[Event]:
    """The run in which everything passed."""
    events = [entry.event for entry in (rehearsal() if rehearsed else LOG)]
    return [model if isinstance(event, CheckpointIdentified) else event for event in events]


def node(claim: str) -> str:
    """The node id of a claim's test in that run."""
    return next((event.test for event in run() if isinstance(event, TestFinished) and event.claim == claim), claim)


def finished(claim: str, outcome: str, cause: str = "") -> list[TestFinished]:
    """The phases of a claim's test, of which the call came out as said."""
    phases = [TestFinished(node(claim), claim, when, "passed", 0.1) for when in ("setup", "call", "teardown")]
    return [replace(one, outcome=outcome, cause=cause) if one.when == "call" else one for one in phases]


def changed(*changes: Change) -> list[Event]:
    """That run with each event changed, or left out where None."""
    found = run()
    for change in changes:
        found = [other for event in found if (other := change(event)) is not None]
    return found


def before_end(*more: Event) -> list[Event]:
    *before, end = run()
    return [*before, *more, end]


def is_chosen(event: Event, kind: type, claim: str, when: str) -> bool:
    found = getattr(event, "claim", ""), getattr(event, "when", "")
    return isinstance(event, kind) and found == (claim or found[0], when or found[1])


def without(kind: type, claim: str = "", when: str = "") -> Change:
    return lambda event: None if is_chosen(event, kind, claim, when) else event


def every(kind: type, claim: str = "", when: str = "", **fields: object) -> Change:
    return lambda event: replace(event, **fields) if is_chosen(event, kind, claim, when) else event  # type: ignore[type-var]


def judged(happened: list[Event]) -> Verdict:
    return judge([Entry(float(t), LOG[0].at, event) for t, event in enumerate(happened)])


LOOK = message("undecided.short", characters=48, least=50, reply="狐狸").as_json()
LACKING = message("not_offered.required").as_json()
KILLED = message("server_ended.named", name="2 of 2", cause="killed").as_json()
FAILED = [replace(event, test="other.py::test") for event in finished("tools.add", "failed")]
BEYOND = finished("tools.zero_operand", "failed", "got 1")
PROXY = ServerLaunched(["lmdeploy", "serve", "proxy"], "http://127.0.0.1:8000", role="proxy")
ASKED = Exchanged(node("tools.add"), "/v1/chat/completions", {}, 200, {}, 0.1)
NO_VRAM = [claim for claim in CLAIMS if not claim.startswith("vram")]
SPOILT = (
    every(RunFinished, exit_status=2, tests_run=14, interrupted="Ctrl-C"),
    every(TestFinished, "chat.ends_by_itself", "call", outcome="skipped"),
    every(TestFinished, "tools.add", "call", outcome="rerun"),
    every(TestFinished, "tools.chain", "call", outcome="failed"),
    every(TestFinished, "chat.replies_in_chinese", "call", outcome="failed", cause=LOOK),
)


def named(name: str, happened: list[Event], *reasons: tuple[str, ...]) -> Any:
    return pytest.param(happened, [Reason(*reason) for reason in reasons], id=name)


@pytest.mark.parametrize(
    ("happened", "reasons"),
    [
        named("whole", run()),
        named("random model", run(replace(REAL, origin="geometry")), ("model_random",)),
        named("no model", changed(without(CheckpointIdentified)), ("model_unknown",)),
        named("second model", before_end(STANDIN), ("model_unknown",)),
        named("one failing test of two", before_end(*FAILED), ("claim_failed", "tools.add")),
        named(
            "no teardown", changed(without(TestFinished, "vram.peak", "teardown")), ("claim_unfinished", "vram.peak")
        ),
        named("no figure", changed(without(Measured, "vram.peak")), ("claim_not_measured", "vram.peak")),
        named("no value", changed(every(Measured, "vram.peak", value=None)), ("claim_not_measured", "vram.peak")),
        named("no try", changed(without(TryJudged, "tools.add")), ("claim_not_measured", "tools.add")),
        named(
            "no right try, whatever the test did",
            changed(every(TryJudged, right=False, reason="said 15")),
            *(("claim_failed", claim, "said 15") for claim in TRIED),
        ),
        named(
            "not offered by the version, and not merely skipped",
            changed(every(TestFinished, "tools.add", "call", outcome="skipped", cause=LACKING)),
            ("claim_not_offered", "tools.add", LACKING),
        ),
        named(
            "deselected and not collected",
            changed(every(ClaimsSelected, selected=NO_VRAM, deselected=["vram.peak"])),
            ("claim_not_collected", "vram.after_start"),
            ("claim_deselected", "vram.peak"),
            ("claim_not_collected", "vram.released"),
        ),
        named(
            "failure beyond the homework, which explains the exit status",
            [*before_end(*BEYOND)[:-1], RunFinished(1, len(CLAIMS))],
            ("beyond_failed", "tools.zero_operand", "got 1"),
            ("exit_status", "", "1"),
        ),
        named(
            "failures, then what a person must look at, then what was left out",
            changed(*SPOILT),
            ("interrupted", "", "Ctrl-C"),
            ("claim_rerun", "tools.add"),
            ("claim_failed", "tools.chain"),
            ("claim_undecided", "chat.replies_in_chinese", LOOK),
            ("claim_skipped", "chat.ends_by_itself"),
            ("exit_status", "", "2"),
            ("tests_missing", "", "14 / 15"),
        ),
        named("killed in its last test", changed(without(RunFinished)), ("killed", "", node("vram.released"))),
        named("went on after its end", [*run(), run()[-2]], ("after_end",)),
        named("ended again", [*run(), run()[-1]], ("after_end",)),
        named("exit status", changed(every(RunFinished, exit_status=1)), ("exit_status", "", "1")),
        named("interrupted", changed(every(RunFinished, interrupted="Ctrl-C")), ("interrupted", "", "Ctrl-C")),
        named("tests missing", changed(every(RunFinished, tests_run=14)), ("tests_missing", "", "14 / 15")),
        named("no server", changed(without(ServerLaunched)), ("no_server",)),
        named("no server but a proxy", changed(every(ServerLaunched, role="proxy")), ("no_server",)),
        named("proxy besides", before_end(PROXY)),
        named("server ended", changed(every(ServerStopped, cause="code -9")), ("server_ended", "", "code -9")),
        named(
            "one server of two ended",
            changed(every(ServerStopped, name="2 of 2", cause="killed")),
            ("server_ended", "", KILLED),
        ),
        # Memory that the question took was not seen, no matter what brought the tests out of their order.
        named("question after the peak", before_end(ASKED), ("peak_too_early", "vram.peak", ASKED.test)),
        named("question of another suite after it", before_end(replace(ASKED, test="tests/acceptance/x.py::test"))),
    ],
)
def test_run_has_the_reasons_against_it(happened: list[Event], reasons: list[Reason]) -> None:
    verdict = judged(happened)
    assert list(verdict.reasons) == reasons
    assert verdict.accepted is not bool(reasons)


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        (["--model-format", "hf", "--quant-policy", "4"], "--model-format awq"),
        (["--model-format=awq"], "--quant-policy 4"),
        (["--model-format", "awq", "--quant-policy", "4", "--quant-policy", "0"], "--quant-policy 4"),
        (["--quant-policy"], "--model-format awq, --quant-policy 4"),
        (["--model-format=awq", "--quant-policy=4"], ""),
    ],
)
def test_deployment_is_the_homeworks_by_its_arguments(arguments: list[str], missing: str) -> None:
    verdict = judged(changed(every(ServerLaunched, argv=["m", *arguments])))
    assert list(verdict.reasons) == ([Reason("other_deployment", detail=missing)] if missing else [])


def test_another_model_is_deployed_as_its_operator_chose() -> None:
    argv = ["m", "--model-format", "awq", "--quant-policy", "0"]
    other = every(CheckpointIdentified, geometry="other"), every(ServerLaunched, argv=argv)
    verdict = judged(changed(*other))
    assert (verdict.outcome, verdict.accepted, verdict.name) == ("accepted_deployment", False, REAL.name)


@pytest.mark.parametrize(
    ("model", "rehearsed", "outcome", "passed"),
    [
        (REAL, False, "accepted", 15),
        (STANDIN, False, "accepted_with_standin", 15),
        (replace(STANDIN, origin="path"), False, "accepted_with_standin", 15),
        (replace(REAL, geometry="other"), False, "accepted_deployment", 15),
        (REAL, True, "rehearsal", 12),
    ],
)
def test_outcome_depends_on_the_model_and_on_rehearsing(
    model: CheckpointIdentified, rehearsed: bool, outcome: str, passed: int
) -> None:
    verdict = judged(run(model, rehearsed))
    assert (verdict.outcome, verdict.passed) == (outcome, passed)
    assert verdict.accepted is (outcome == "accepted")
    unmeasured = [claim.claim.id for claim in verdict.claims if claim.state == "needs_gpu"]
    assert unmeasured == (["vram.after_start", "vram.peak", "vram.released"] if rehearsed else [])


@pytest.mark.parametrize("when", ["setup", "call", "teardown"])
@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({"outcome": "failed"}, "failed"),
        ({"outcome": "skipped"}, "skipped"),
        ({"outcome": "skipped", "wasxfail": True}, "xfailed"),
        ({"outcome": "passed", "wasxfail": True}, "xpassed"),
        ({"outcome": "rerun"}, "rerun"),
    ],
)
def test_every_phase_counts(when: str, fields: dict[str, object], state: str) -> None:
    verdict = judged(changed(every(TestFinished, "tools.add", when, cause="why", **fields)))
    assert verdict.reasons == (Reason(f"claim_{state}", "tools.add", "why"),)
    assert verdict.passed == len(CLAIMS) - 1


def test_tries_are_counted() -> None:
    chain = next(found for found in judged(run()).claims if found.claim.id == "tools.chain")
    assert (chain.right, chain.tries, chain.passed) == (1, 2, True)


def test_part_of_a_run_is_never_accepted() -> None:
    whole = run()
    assert judged(whole).accepted
    assert [length for length in range(len(whole)) if judged(whole[:length]).accepted] == []
    needed = (CheckpointIdentified, ClaimsSelected, Measured, RunFinished, RunStarted, ServerLaunched, TestFinished)
    for number, event in enumerate(whole):
        if isinstance(event, needed):
            assert not judged(whole[:number] + whole[number + 1 :]).accepted, event


@pytest.mark.parametrize("happened", [[run()[0], *run()], run()[1:], []])
def test_log_without_its_one_start_is_not_accepted(happened: list[Event]) -> None:
    assert judged(happened).reasons[0] == Reason("no_start")
