"""Trials against a server: all recorded in order, few kept whole, and no more than the decision takes."""

from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from fixtures.ask.trial_runs import KEPT_WHOLE, Judged, run_all
from fixtures.errors import RequestError
from fixtures.evidence import Evidence, read
from fixtures.evidence.events import Exchanged, TryJudged
from fixtures.judge.trials import Plan, Trials, all_of, one_right_of
from fixtures.texts import message
from tests.unit.answers import Scripted, answer

WRONG = message("fault.no_call", reply="8")


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    return Evidence(tmp_path / "run")


def events(evidence: Evidence, kind: type) -> list[Any]:
    return [entry.event for entry in read(evidence.folder) if isinstance(entry.event, kind)]


def tried(evidence: Evidence, plan: Plan, right: Any) -> Trials:
    def attempt(client: Any, number: int) -> Judged:
        client.ask([{"role": "user", "content": str(number)}])
        return Judged(None if right(number) else WRONG, [{"name": "add"}], "8")

    client: Any = Scripted(answer("8"))
    return run_all(client, evidence, "tools.add", attempt, plan)


def test_every_trial_is_recorded_in_order(evidence: Evidence) -> None:
    trials = tried(evidence, all_of(50), lambda number: number % 2 == 0)
    assert (trials.right, trials.made) == (25, 50)
    found = events(evidence, TryJudged)
    assert [one.number for one in found] == list(range(1, 51))
    assert found[0] == TryJudged("tools.add", 1, False, WRONG.as_json(), [{"name": "add"}], "8")
    assert found[1] == TryJudged("tools.add", 2, True, "", [{"name": "add"}], "8")


def test_first_right_trial_and_some_wrong_ones_are_kept_whole(evidence: Evidence) -> None:
    tried(evidence, all_of(40), lambda number: number > 20)
    assert len(events(evidence, Exchanged)) == KEPT_WHOLE + 1


@pytest.mark.parametrize(
    ("plan", "rights", "made"),
    [
        (one_right_of(5), [True], 1),
        (one_right_of(5), [False, True, True, False, True], 5),  # the four after the first run at once
        (one_right_of(3), [False, False, False], 3),
        (Plan(100, 95, stops_when_met=False), [False] * 32, 32),  # six wrong are too many; waves of 32
        (Plan(6, 6, stops_when_met=False), [True] * 6, 6),
    ],
)
def test_trials_are_made_until_the_decision_is_certain(
    evidence: Evidence, plan: Plan, rights: list[bool], made: int
) -> None:
    trials = tried(evidence, plan, lambda number: rights[number - 1])
    assert trials.rights == rights[:made]


def test_trial_that_raises_leaves_its_exchange_and_lets_the_others_end(evidence: Evidence) -> None:
    ended = []
    begun = Barrier(4)  # a trial that has not begun is not made any more

    def attempt(client: Any, number: int) -> Judged:
        client.ask([{"role": "user", "content": str(number)}])
        begun.wait(timeout=30)
        if number == 2:
            raise RequestError("client_closed")
        ended.append(number)
        return Judged(None)

    client: Any = Scripted(answer("8"))
    with pytest.raises(RequestError, match="closed"):
        run_all(client, evidence, "tools.add", attempt, all_of(4))
    assert sorted(ended) == [1, 3, 4]
    assert len(events(evidence, Exchanged)) == 2  # the first right one, and the one that raised
