"""Only a run in which every claim passed may be accepted; everything else is named, in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

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
from fixtures.judge.verdict import Verdict, judge
from fixtures.texts import Message, message

REAL = CheckpointIdentified("internlm2_5-1_8b-chat", "path", "internlm2_5-1_8b", "sha256:9f2c", 3_778_000_000, 1_889)
STANDIN = replace(REAL, origin="standin", geometry="standin")
ARGV = ["lmdeploy", "serve", "api_server", "m", "--model-format", "awq", "--quant-policy", "4"]
TRIED = ("tools.add", "tools.multiply", "tools.chain")
Change = Callable[[Event], "Event | None"]


def node(claim: str) -> str:
    return f"tests/acceptance/test_it.py::test_{claim}"


def phases(claim: str, **call: object) -> list[Event]:
    """The three phases of a claim's test, with its call changed."""
    passed = [TestFinished(node(claim), claim, when, "passed", 0.1) for when in ("setup", "call", "teardown")]
    return [passed[0], replace(passed[1], **call), passed[2]]  # type: ignore[arg-type]


def run(model: CheckpointIdentified = REAL, rehearsal: bool = False) -> list[Event]:
    """The run in which everything passed."""
    events: list[Event] = [
        RunStarted("run", ["pytest"], {}, {}, "c0ffee", False, rehearsal),
        ClaimsSelected(list(CLAIMS), [], len(CLAIMS)),
        model,
        ServerLaunched(ARGV, "http://127.0.0.1:23333"),
    ]
    for claim in sorted(CLAIMS, key=lambda id_: id_.startswith("vram.")):
        setup, call, teardown = phases(claim)
        found: list[Event] = [Measured(claim, "figure", 1)]
        if claim in TRIED:
            asked = Exchanged(node(claim), "/v1/chat/completions", {}, 200, {}, 0.1)
            wrong = TryJudged(claim, 1, False, message("fault.no_call", reply="8").as_json(), [], "8")
            found = [asked, wrong, replace(wrong, number=2, right=True, reason="")]
        events += [setup, *found, call, teardown]
    return [*events, ServerStopped(0, 1.0), RunFinished(0, len(CLAIMS))]


def entries(events: list[Event]) -> list[Entry]:
    return [Entry(float(t), "2026-11-22T18:00:00+00:00", event) for t, event in enumerate(events)]


def judged(events: list[Event]) -> Verdict:
    return judge(entries(events))


def changed(change: Change) -> Verdict:
    """The verdict on that run, with each event changed, or left out where None."""
    return judged([found for event in run() if (found := change(event)) is not None])


def without(kind: type, claim: str | None = None) -> Change:
    return lambda event: None if isinstance(event, kind) and claim in (None, getattr(event, "claim", None)) else event


def every(kind: type, **fields: object) -> Change:
    return lambda event: replace(event, **fields) if isinstance(event, kind) else event  # type: ignore[type-var]


def phase(claim: str, when: str, **fields: object) -> Change:
    def change(event: Event) -> Event:
        chosen = isinstance(event, TestFinished) and (event.claim, event.when) == (claim, when)
        return replace(event, **fields) if chosen else event  # type: ignore[type-var]

    return change


def codes(verdict: Verdict) -> list[tuple[str, str]]:
    return [(reason.code, reason.claim) for reason in verdict.reasons]


def before_end(*more: Event) -> Verdict:
    events = run()
    return judged([*events[:-2], *more, *events[-2:]])


@pytest.mark.parametrize(
    ("model", "rehearsal", "outcome", "codes_", "passed"),
    [
        (REAL, False, "accepted", [], 15),
        (STANDIN, False, "accepted_with_standin", [], 15),
        (replace(STANDIN, origin="path"), False, "accepted_with_standin", [], 15),
        (replace(REAL, origin="geometry"), False, "not_accepted", [("model_random", "")], 15),
        (replace(REAL, geometry="other"), False, "not_accepted", [("model_other", "")], 15),
        (REAL, True, "rehearsal", [], 12),
    ],
)
def test_outcome_depends_on_the_model_and_on_rehearsing(
    model: CheckpointIdentified, rehearsal: bool, outcome: str, codes_: list[tuple[str, str]], passed: int
) -> None:
    verdict = judged(run(model, rehearsal))
    assert (verdict.outcome, codes(verdict), verdict.passed) == (outcome, codes_, passed)
    assert verdict.accepted is (outcome == "accepted")
    unmeasured = [claim.claim.id for claim in verdict.claims if claim.state == "needs_gpu"]
    assert unmeasured == (["vram.after_start", "vram.peak", "vram.released"] if rehearsal else [])


def test_unidentified_model_or_two_models_are_not_accepted() -> None:
    assert codes(changed(without(CheckpointIdentified))) == [("model_unknown", "")]
    assert codes(before_end(STANDIN)) == [("model_other", "")]


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
    verdict = changed(phase("tools.add", when, cause="why", **fields))
    assert codes(verdict) == [(f"claim_{state}", "tools.add")]
    assert verdict.reasons[0].detail == "why"
    assert verdict.passed == len(CLAIMS) - 1


def test_what_only_a_person_can_tell_is_undecided_and_behind_the_failures() -> None:
    look = message("undecided.short", characters=48, least=50, reply="狐狸").as_json()
    undecided = phase("chat.replies_in_chinese", "call", outcome="failed", cause=look)
    failed = phase("vram.peak", "call", outcome="failed", cause="too much")
    verdict = changed(lambda event: failed(undecided(event) or event))
    assert codes(verdict) == [("claim_failed", "vram.peak"), ("claim_undecided", "chat.replies_in_chinese")]
    assert verdict.outcome == "not_accepted"
    assert verdict.reasons[1].detail == look


@pytest.mark.parametrize("when", ["setup", "call", "teardown"])
def test_missing_phase_leaves_the_claim_unfinished(when: str) -> None:
    def drop(event: Event) -> Event | None:
        missing = isinstance(event, TestFinished) and (event.claim, event.when) == ("vram.peak", when)
        return None if missing else event

    assert codes(changed(drop)) == [("claim_unfinished", "vram.peak")]


def test_one_failing_test_of_two_fails_the_claim() -> None:
    other = [replace(event, test="other.py::test") for event in phases("tools.add", outcome="failed")]  # type: ignore[type-var]
    assert codes(before_end(*other)) == [("claim_failed", "tools.add")]


def test_claim_without_a_measurement_is_not_measured() -> None:
    assert codes(changed(without(Measured, "vram.peak"))) == [("claim_not_measured", "vram.peak")]
    assert codes(changed(without(TryJudged, "tools.add"))) == [("claim_not_measured", "tools.add")]
    empty = [replace(e, value=None) if isinstance(e, Measured) and e.claim == "vram.peak" else e for e in run()]
    assert codes(judged(empty)) == [("claim_not_measured", "vram.peak")]


def test_claim_without_a_right_try_failed_whatever_its_test_did() -> None:
    verdict = changed(every(TryJudged, right=False, reason="said 15"))
    assert codes(verdict) == [("claim_failed", claim) for claim in TRIED]
    assert verdict.reasons[0].detail == "said 15"


def test_tries_are_counted() -> None:
    chain = next(found for found in judged(run()).claims if found.claim.id == "tools.chain")
    assert (chain.right, chain.tries, chain.passed) == (1, 2, True)


def test_deselected_and_uncollected_claims_are_told_apart() -> None:
    rest = [id_ for id_ in CLAIMS if not id_.startswith("vram")]
    assert codes(changed(every(ClaimsSelected, selected=rest, deselected=["vram.peak"]))) == [
        ("claim_not_collected", "vram.after_start"),
        ("claim_deselected", "vram.peak"),
        ("claim_not_collected", "vram.released"),
    ]


def test_claim_that_the_version_does_not_offer_is_not_merely_skipped() -> None:
    lacking = message("not_offered.required").as_json()
    assert codes(changed(phase("tools.add", "call", outcome="skipped", cause=lacking))) == [
        ("claim_not_offered", "tools.add")
    ]


@pytest.mark.parametrize(
    ("fields", "code", "detail"),
    [
        ({"exit_status": 1}, "exit_status", "1"),
        ({"interrupted": "Ctrl-C"}, "interrupted", "Ctrl-C"),
        ({"tests_run": 14}, "tests_missing", "14 / 15"),
    ],
)
def test_run_that_did_not_end_well_is_not_accepted(fields: dict[str, object], code: str, detail: str) -> None:
    (reason,) = changed(every(RunFinished, **fields)).reasons
    assert (reason.code, reason.detail) == (code, detail)


def test_failure_beyond_the_homework_explains_the_exit_status() -> None:
    *events, stopped, finished = run()
    deep = phases("tools.zero_operand", outcome="failed", cause="got 1")
    verdict = judged([*events, *deep, stopped, replace(finished, exit_status=1)])  # type: ignore[type-var]
    assert codes(verdict) == [("beyond_failed", "tools.zero_operand"), ("exit_status", "")]
    assert verdict.passed == len(CLAIMS)


def test_reasons_come_in_order_and_failures_before_what_was_left_out() -> None:
    spoil = (
        every(RunFinished, exit_status=2, tests_run=14, interrupted="Ctrl-C"),
        phase("chat.ends_by_itself", "call", outcome="skipped"),
        phase("tools.add", "call", outcome="rerun"),
        phase("tools.chain", "call", outcome="failed"),
    )
    events = run()
    for change in spoil:
        events = [found for event in events if (found := change(event)) is not None]
    assert [code for code, _ in codes(judged(events))] == [
        "interrupted", "claim_rerun", "claim_failed", "claim_skipped", "exit_status", "tests_missing",
    ]  # fmt: skip


def test_killed_run_names_the_last_test() -> None:
    (reason,) = changed(without(RunFinished)).reasons
    assert (reason.code, reason.detail) == ("killed", node("vram.released"))


def test_part_of_a_run_is_never_accepted() -> None:
    whole = run()
    assert judged(whole).accepted
    assert [length for length in range(len(whole)) if judged(whole[:length]).accepted] == []
    optional = (Exchanged, ServerStopped, TryJudged)
    for number, event in enumerate(whole):
        if not isinstance(event, optional):
            assert not judged(whole[:number] + whole[number + 1 :]).accepted, event


def test_logs_pieced_together_are_not_accepted() -> None:
    whole = run()
    for pieced, code in (([whole[0], *whole], "no_start"), (whole[1:], "no_start"), ([], "no_start"),
                         ([*whole, whole[-2]], "after_end"), ([*whole, whole[-1]], "after_end")):  # fmt: skip
        assert codes(judged(pieced))[0] == (code, "")


@pytest.mark.parametrize(
    ("argv", "missing"),
    [
        (["m", "--model-format", "hf", "--quant-policy", "4"], "--model-format awq"),
        (["m", "--model-format=awq"], "--quant-policy 4"),
        (["m", "--model-format", "awq", "--quant-policy", "4", "--quant-policy", "0"], "--quant-policy 4"),
        (["m", "--quant-policy"], "--model-format awq, --quant-policy 4"),
        (["m", "--model-format=awq", "--quant-policy=4"], ""),
    ],
)
def test_deployment_is_the_homeworks_by_its_arguments(argv: list[str], missing: str) -> None:
    verdict = changed(every(ServerLaunched, argv=argv))
    assert [reason.detail for reason in verdict.reasons if reason.code == "other_deployment"] == [missing][
        : bool(missing)
    ]
    assert verdict.accepted is not bool(missing)


def test_run_without_an_api_server_is_not_accepted() -> None:
    assert codes(changed(without(ServerLaunched))) == [("no_server", "")]
    assert codes(changed(every(ServerLaunched, role="proxy"))) == [("no_server", "")]
    assert before_end(ServerLaunched(["lmdeploy", "serve", "proxy"], "http://127.0.0.1:8000", role="proxy")).accepted


def test_server_that_ended_by_itself_is_named() -> None:
    (reason,) = changed(every(ServerStopped, cause="exit code -9")).reasons
    assert (reason.code, reason.detail) == ("server_ended", "exit code -9")
    (reason,) = changed(every(ServerStopped, name="2 of 2", cause="killed")).reasons
    assert str(Message(**reason.detail)) == "2 of 2: killed"


def test_question_after_the_peak_was_looked_at_spoils_it() -> None:
    """Memory that the question took was not seen, no matter what brought the tests out of their order."""
    asked = next(event for event in run() if isinstance(event, Exchanged))
    assert codes(before_end(asked)) == [("peak_too_early", "vram.peak")]
    assert before_end(replace(asked, test="tests/acceptance/entry_points/test_entry_points.py::test_other")).accepted
