"""Only a run in which every claim held may be accepted; everything else is named, in order."""

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
from fixtures.judge.verdict import Verdict, judge
from fixtures.run.claims import HOMEWORK, NOT_OFFERED
from fixtures.texts import TEXTS
from tests.unit.report import synthetic


def changed(change: Callable[[Event], Event | None]) -> list[Entry]:
    """The run in which everything held, with each event changed, or left out where None."""
    events = [(t, changed) for t, event in synthetic.events() if (changed := change(event)) is not None]
    return synthetic.entries(events)


def codes(verdict: Verdict) -> list[tuple[str, str]]:
    return [(reason.code, reason.claim) for reason in verdict.reasons]


def without(kind: type, claim: str | None = None) -> Callable[[Event], Event | None]:
    def change(event: Event) -> Event | None:
        return None if isinstance(event, kind) and claim in (None, getattr(event, "claim", None)) else event

    return change


def phase(claim: str, when: str, **fields: object) -> Callable[[Event], Event | None]:
    def change(event: Event) -> Event | None:
        if isinstance(event, TestFinished) and (event.claim, event.when) == (claim, when):
            return replace(event, **fields)  # type: ignore[arg-type]
        return event

    return change


def test_everything_held() -> None:
    verdict = judge(synthetic.entries())
    assert (verdict.outcome, verdict.model, verdict.reasons, verdict.passed) == ("accepted", "real", (), len(HOMEWORK))
    assert verdict.accepted


def test_the_stand_in_is_accepted_only_as_such() -> None:
    verdict = judge(synthetic.entries(synthetic.events(synthetic.STANDIN)))
    assert verdict.outcome == "accepted_with_standin"
    assert not verdict.accepted
    copied = replace(synthetic.STANDIN, origin="path")
    assert judge(synthetic.entries(synthetic.events(copied))).outcome == "accepted_with_standin"


@pytest.mark.parametrize(
    ("change", "code"),
    [({"origin": "geometry"}, "model_random"), ({"geometry": "other"}, "model_other")],
)
def test_another_model_is_never_accepted(change: dict[str, str], code: str) -> None:
    verdict = judge(synthetic.entries(synthetic.events(replace(synthetic.REAL, **change))))  # type: ignore[arg-type]
    assert verdict.outcome == "not_accepted"
    assert codes(verdict) == [(code, "")]


def test_an_unidentified_model_is_never_accepted() -> None:
    assert codes(judge(changed(without(CheckpointIdentified)))) == [("model_unknown", "")]


def test_two_models_in_one_run_are_never_accepted() -> None:
    log = synthetic.entries(sorted([*synthetic.events(), (3.0, synthetic.STANDIN)], key=lambda pair: pair[0]))
    assert codes(judge(log)) == [("model_other", "")]


def test_a_rehearsal_is_no_acceptance_whatever_happened() -> None:
    verdict = judge(synthetic.entries(synthetic.events(rehearsal=True)))
    assert verdict.outcome == "rehearsal"
    assert [claim.claim.id for claim in verdict.claims if claim.state == "needs_gpu"] == [
        "vram.after_start",
        "vram.peak",
        "vram.released",
    ]
    assert verdict.passed == 12
    verdict = judge([replace_started(entry) for entry in synthetic.entries()])
    assert verdict.outcome == "rehearsal"
    assert verdict.passed == 12, "a claim about VRAM cannot hold in a rehearsal"


def replace_started(entry: Entry) -> Entry:
    if isinstance(entry.event, RunStarted):
        return replace(entry, event=replace(entry.event, rehearsal=True))
    return entry


@pytest.mark.parametrize("when", ["setup", "call", "teardown"])
@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({"outcome": "failed", "cause": "why"}, "failed"),
        ({"outcome": "skipped", "cause": "why"}, "skipped"),
        ({"outcome": "skipped", "wasxfail": True, "cause": "why"}, "xfailed"),
        ({"outcome": "passed", "wasxfail": True, "cause": "why"}, "xpassed"),
        ({"outcome": "rerun", "cause": "why"}, "rerun"),
    ],
)
def test_every_phase_counts(when: str, fields: dict[str, object], state: str) -> None:
    verdict = judge(changed(phase("tools.add", when, **fields)))
    assert codes(verdict) == [(f"claim_{state}", "tools.add")]
    assert verdict.reasons[0].detail == "why"
    assert verdict.passed == len(HOMEWORK) - 1


@pytest.mark.parametrize("when", ["setup", "call", "teardown"])
def test_a_phase_that_is_missing(when: str) -> None:
    def drop(event: Event) -> Event | None:
        missing = isinstance(event, TestFinished) and (event.claim, event.when) == ("vram.peak", when)
        return None if missing else event

    assert codes(judge(changed(drop))) == [("claim_unfinished", "vram.peak")]


def test_one_of_two_tests_of_a_claim_fails() -> None:
    other = [
        (40.0 + n, TestFinished("other.py::test", "tools.add", when, outcome, 0.1))
        for n, (when, outcome) in enumerate((("setup", "passed"), ("call", "failed"), ("teardown", "passed")))
    ]
    log = synthetic.entries(sorted([*synthetic.events(), *other], key=lambda pair: pair[0]))
    assert codes(judge(log)) == [("claim_failed", "tools.add")]


def test_a_claim_that_left_no_measurement() -> None:
    assert codes(judge(changed(without(Measured, "vram.peak")))) == [("claim_not_measured", "vram.peak")]
    assert codes(judge(changed(without(TryJudged, "tools.add")))) == [("claim_not_measured", "tools.add")]
    empty = changed(
        lambda event: (
            replace(event, value=None) if isinstance(event, Measured) and event.claim == "vram.peak" else event
        )
    )
    assert codes(judge(empty)) == [("claim_not_measured", "vram.peak")]


def test_a_claim_that_passed_without_a_right_try() -> None:
    wrong = changed(
        lambda event: (
            replace(event, right=False, reason="said 15")
            if isinstance(event, TryJudged) and event.claim == "tools.chain"
            else event
        )
    )
    verdict = judge(wrong)
    assert codes(verdict) == [("claim_failed", "tools.chain")]
    assert verdict.reasons[0].detail == "said 15"


def test_tries_are_counted() -> None:
    chain = next(found for found in judge(synthetic.entries()).claims if found.claim.id == "tools.chain")
    assert (chain.right, chain.tries, chain.held) == (1, 2, True)


def test_deselected_and_not_collected() -> None:
    def drop(event: Event) -> Event | None:
        if isinstance(event, ClaimsSelected):
            rest = [id_ for id_ in event.selected if not id_.startswith("vram")]
            return ClaimsSelected(rest, ["vram.peak"], len(HOMEWORK))
        return event

    assert codes(judge(changed(drop))) == [
        ("claim_not_collected", "vram.after_start"),
        ("claim_deselected", "vram.peak"),
        ("claim_not_collected", "vram.released"),
    ]


def test_exit_status_counts_even_where_every_claim_held() -> None:
    failed = changed(lambda event: replace(event, exit_status=1) if isinstance(event, RunFinished) else event)
    (reason,) = judge(failed).reasons
    assert (reason.code, reason.claim, reason.detail) == ("exit_status", "", "1")


def test_a_claim_that_the_version_does_not_offer_is_not_merely_skipped() -> None:
    verdict = judge(changed(phase("tools.add", "call", outcome="skipped", cause=f"Skipped: {NOT_OFFERED}: dropped")))
    (found,) = [claim for claim in verdict.claims if claim.claim.id == "tools.add"]
    assert found.state == "not_offered"


def test_a_rerun_comes_among_the_failures() -> None:
    def spoil(event: Event) -> Event | None:
        skipped = phase("chat.ends_by_itself", "call", outcome="skipped")(event)
        return phase("tools.add", "call", outcome="rerun")(skipped) if skipped else None

    assert [code for code, _ in codes(judge(changed(spoil)))] == ["claim_rerun", "claim_skipped"]


def test_a_failure_beyond_the_homework_says_why_the_exit_status_is_not_0() -> None:
    depth = [
        (60.0 + n, TestFinished("deep.py::test", "tools.zero_operand", when, outcome, 0.1, "got 1"))
        for n, (when, outcome) in enumerate((("setup", "passed"), ("call", "failed"), ("teardown", "passed")))
    ]
    events = [(t, replace(e, exit_status=1) if isinstance(e, RunFinished) else e) for t, e in synthetic.events()]
    verdict = judge(synthetic.entries(sorted([*events, *depth], key=lambda pair: pair[0])))
    assert codes(verdict) == [("beyond_failed", "tools.zero_operand"), ("exit_status", "")]
    assert verdict.reasons[0].detail == "got 1"
    assert verdict.passed == len(HOMEWORK)


def test_an_interrupted_run() -> None:
    stopped = changed(lambda event: replace(event, interrupted="Ctrl-C") if isinstance(event, RunFinished) else event)
    verdict = judge(stopped)
    assert codes(verdict) == [("interrupted", "")]
    assert verdict.reasons[0].detail == "Ctrl-C"


def test_a_crashed_worker_reports_too_few_tests() -> None:
    crashed = changed(lambda event: replace(event, tests_run=14) if isinstance(event, RunFinished) else event)
    (reason,) = judge(crashed).reasons
    assert (reason.code, reason.detail) == ("tests_missing", f"14 / {len(HOMEWORK)}")


def test_a_killed_run_names_the_last_test() -> None:
    verdict = judge(changed(without(RunFinished)))
    assert codes(verdict) == [("killed", "")]
    assert verdict.reasons[0].detail == synthetic.node("vram.released")


def test_every_prefix_of_a_run_but_the_whole_is_not_accepted() -> None:
    whole = synthetic.entries()
    assert judge(whole).accepted
    for length in range(len(whole)):
        assert not judge(whole[:length]).accepted, f"accepted after {length} of {len(whole)} events"


def test_no_single_event_of_a_claim_can_be_left_out() -> None:
    whole = synthetic.entries()
    needed = (RunStarted, ClaimsSelected, TestFinished, RunFinished, CheckpointIdentified, ServerLaunched, Measured)
    for number, entry in enumerate(whole):
        if isinstance(entry.event, needed):
            assert not judge(whole[:number] + whole[number + 1 :]).accepted, entry


def test_logs_pieced_together() -> None:
    whole = synthetic.entries()
    assert codes(judge([whole[0], *whole]))[0] == ("no_start", "")
    assert codes(judge(whole[1:]))[0] == ("no_start", "")
    assert codes(judge([*whole, whole[-2]]))[0] == ("after_end", "")
    assert codes(judge([*whole, whole[-1]]))[0] == ("after_end", "")


def test_no_events_at_all() -> None:
    assert codes(judge([]))[0] == ("no_start", "")
    assert not judge([]).accepted


@pytest.mark.parametrize(
    ("argv", "missing"),
    [
        (["lmdeploy", "serve", "api_server", "m", "--model-format", "hf", "--quant-policy", "4"], "--model-format awq"),
        (["lmdeploy", "serve", "api_server", "m", "--model-format=awq"], "--quant-policy 4"),
        (["m", "--model-format", "awq", "--quant-policy", "4", "--quant-policy", "0"], "--quant-policy 4"),
        (["m", "--quant-policy"], "--model-format awq, --quant-policy 4"),
    ],
)
def test_another_deployment_is_not_the_homeworks(argv: list[str], missing: str) -> None:
    other = changed(lambda event: replace(event, argv=argv) if isinstance(event, ServerLaunched) else event)
    verdict = judge(other)
    assert codes(verdict) == [("other_deployment", "")]
    assert verdict.reasons[0].detail == missing


def test_arguments_with_an_equals_sign_are_the_same() -> None:
    same = changed(
        lambda event: (
            replace(event, argv=["m", "--model-format=awq", "--quant-policy=4"])
            if isinstance(event, ServerLaunched)
            else event
        )
    )
    assert judge(same).accepted


def test_a_run_without_a_server() -> None:
    assert codes(judge(changed(without(ServerLaunched)))) == [("no_server", "")]


def test_a_server_that_ended_by_itself() -> None:
    died = changed(lambda event: replace(event, cause="exit code -9") if isinstance(event, ServerStopped) else event)
    (reason,) = judge(died).reasons
    assert (reason.code, reason.detail) == ("server_ended", "exit code -9")


def test_reasons_come_in_order_and_failures_before_what_was_left_out() -> None:
    def spoil(event: Event) -> Event | None:
        if isinstance(event, RunFinished):
            return RunFinished(exit_status=2, tests_run=14, interrupted="Ctrl-C")
        if isinstance(event, TestFinished) and event.claim == "chat.ends_by_itself":
            return replace(event, outcome="skipped")
        if isinstance(event, TestFinished) and event.claim == "tools.add" and event.when == "call":
            return replace(event, outcome="failed")
        return event

    assert [code for code, _ in codes(judge(changed(spoil)))] == [
        "interrupted",
        "claim_failed",
        "claim_skipped",
        "exit_status",
        "tests_missing",
    ]


def test_every_reason_has_its_text() -> None:
    states = ("failed", "rerun", "skipped", "not_offered", "xfailed", "xpassed", "unfinished", "not_measured",
              "deselected", "not_collected")  # fmt: skip
    others = ("beyond_failed", "no_start", "killed", "after_end", "interrupted", "exit_status", "tests_missing",
              "no_rung", "no_answers", "no_door", "no_load", "no_server", "other_deployment", "peak_too_early",
              "server_ended", "model_random", "model_other", "model_unknown")  # fmt: skip
    wanted = {f"reason.claim_{state}" for state in states} | {f"reason.{code}" for code in others}
    assert wanted == {id_ for id_ in TEXTS if id_.startswith("reason.")}


def test_a_replica_that_ended_is_named_and_the_distributor_is_no_other_deployment() -> None:
    def change(event: Event) -> Event | None:
        return replace(event, name="2 of 2", cause="killed") if isinstance(event, ServerStopped) else event

    entries = changed(change)
    proxy = ServerLaunched(["lmdeploy", "serve", "proxy"], "http://127.0.0.1:8000", role="proxy", name="proxy")
    at = next(number for number, entry in enumerate(entries) if isinstance(entry.event, ServerLaunched))
    entries.insert(at, replace(entries[at], event=proxy))
    verdict = judge(entries)
    assert [(reason.code, reason.detail) for reason in verdict.reasons] == [("server_ended", "2 of 2: killed")]


def test_a_peak_that_is_looked_at_before_the_questions_is_none() -> None:
    """Whatever brought the tests out of their order: memory that the questions took was not seen."""
    happened = synthetic.events()
    asked = next(event for _, event in happened if isinstance(event, Exchanged))
    looked = next(t for t, event in happened if isinstance(event, Measured) and event.claim == "vram.peak")

    def late(test: str) -> list[tuple[str, str]]:
        another = (looked + 0.001, replace(asked, test=test))
        return codes(judge(synthetic.entries(sorted([*happened, another], key=lambda pair: pair[0]))))

    assert late(asked.test) == [("peak_too_early", "vram.peak")]
    assert late("tests/acceptance/entry_points/test_entry_points.py::test_of_another_server") == []


def test_a_distributor_alone_serves_nothing() -> None:
    def change(event: Event) -> Event | None:
        return replace(event, role="proxy") if isinstance(event, ServerLaunched) else event

    assert "no_server" in [reason.code for reason in judge(changed(change)).reasons]
