"""Why a run is not accepted, told without repeating itself."""

from __future__ import annotations

from dataclasses import replace

from fixtures.evidence.events import ServerStopped, TestFinished
from fixtures.judge.verdict import judge
from fixtures.report.banner import explanation, headline, told
from fixtures.run.claims import HOMEWORK
from fixtures.texts import Texts
from tests.unit.report import synthetic

ENGLISH = Texts("en")


def test_a_cause_shared_by_several_claims_is_told_once() -> None:
    cause = "the api_server exited with code 1\n  where: lmdeploy"
    happened = [
        (t, replace(event, outcome="failed", cause=cause))
        if isinstance(event, TestFinished) and event.claim.startswith("tools") and event.when == "call"
        else (t, event)
        for t, event in synthetic.events()
    ]
    found = told(judge(synthetic.entries(happened)), ENGLISH)
    assert [reason.sentence for reason in found] == [
        "“The model called add” failed: the api_server exited with code 1",
        "for the same cause as 1, also: The model called mul; The model chained add and mul: (3+5)*2 = 16"
        " (in all 2 more)",
    ]
    assert [reason.more for reason in found] == ["  where: lmdeploy", ""]


def test_a_cause_shared_with_claims_beyond_the_homework_is_told_once() -> None:
    cause = "NVML is missing\n  what to do: install a driver"
    beyond = (65.0, TestFinished("deep.py::test", "tools.zero_operand", "setup", "failed", 0.1, cause))
    happened = [
        (t, replace(event, outcome="failed", cause=cause))
        if isinstance(event, TestFinished) and event.claim == "tools.add" and event.when == "setup"
        else (t, event)
        for t, event in synthetic.events()
    ]
    found = told(judge(synthetic.entries(sorted([*happened, beyond], key=lambda pair: pair[0]))), ENGLISH)
    assert [reason.sentence for reason in found] == [
        "“The model called add” failed: NVML is missing",
        "for the same cause as 1, beyond the homework: Zero as an operand (in all 1)",
    ]


def test_claims_left_out_alike_are_told_in_one_line() -> None:
    first, second, *_ = told(judge(synthetic.entries()[:1]), ENGLISH)
    assert first.sentence == "the run was killed: there is no end in the log (last test: -)"
    assert second.sentence.startswith(f"{len(HOMEWORK)} claims were not collected, no test judges them: ")
    assert second.sentence.count("; ") == len(HOMEWORK) - 1


def test_short_causes_are_told_each_time() -> None:
    happened = [
        (t, replace(event, outcome="skipped", cause="no time"))
        if isinstance(event, TestFinished) and event.claim.startswith("tools") and event.when == "call"
        else (t, replace(event, cause="signal 9\n1 GiB missing") if isinstance(event, ServerStopped) else event)
        for t, event in synthetic.events()
    ]
    found = told(judge(synthetic.entries(happened)), ENGLISH)
    assert [reason.sentence.rpartition(": ")[2] for reason in found] == ["no time", "no time", "no time", "signal 9"]
    assert found[-1].more == "1 GiB missing"


def test_headlines() -> None:
    for events, words in (
        (synthetic.events(), "ACCEPTED"),
        (synthetic.events(synthetic.STANDIN), "ACCEPTED WITH STAND-IN"),
        (synthetic.events()[:-1], "NOT ACCEPTED"),
        (synthetic.events(rehearsal=True), "REHEARSAL, not an acceptance"),
    ):
        assert headline(judge(synthetic.entries(events)), ENGLISH) == words
    assert explanation(judge([]), ENGLISH) == "0 of 15 claims of the homework held. The reasons:"
