"""Statistics of trials: intervals, decisions, their error rates, and when further trials are of no use."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fixtures.judge.profile import CONTENT, DRAMA, SAFETY, STRICT_TRIALS
from fixtures.judge.trials import (
    Plan,
    accepted_with_probability,
    all_of,
    at_least,
    least_right,
    one_right_of,
    run,
    wilson,
)

OPERATING_CHARACTERISTIC = Path(__file__).parents[3] / "docs" / "trials.md"


@pytest.mark.parametrize(
    ("right", "trials", "lower", "upper"),
    [(0, 0, 0, 1), (18, 20, 0.699, 0.972), (0, 10, 0, 0.278), (10, 10, 0.722, 1), (200, 200, 0.981, 1)],
)
def test_the_wilson_interval_has_the_published_values(right: int, trials: int, lower: float, upper: float) -> None:
    found = wilson(right, trials)
    assert (found.lower, found.upper) == (pytest.approx(lower, abs=0.001), pytest.approx(upper, abs=0.001))


@pytest.mark.parametrize("required", [DRAMA, CONTENT, SAFETY])
@pytest.mark.parametrize("trials", [80, 100, 200, 500])
def test_the_least_right_is_the_first_whose_lower_bound_suffices(trials: int, required: float) -> None:
    needed = least_right(trials, required)
    assert needed is not None
    assert wilson(needed, trials).lower >= required
    assert wilson(needed - 1, trials).lower < required


def test_too_few_trials_cannot_show_a_high_rate() -> None:
    assert least_right(72, 0.95) is None
    assert least_right(80, 0.95) is not None
    with pytest.raises(ValueError, match=r"72 trials cannot show a rate of 0\.95"):
        at_least(0.95, 72)
    assert accepted_with_probability(1.0, 72, 0.95) == 0.0


@pytest.mark.parametrize("required", [DRAMA, CONTENT, SAFETY])
def test_a_model_at_the_required_rate_is_accepted_by_chance_in_few_runs(required: float) -> None:
    assert accepted_with_probability(required, STRICT_TRIALS, required) <= 0.04
    assert accepted_with_probability(1.0, STRICT_TRIALS, required) == 1.0


def test_the_decision_tells_the_damaged_model_from_the_healthy_one() -> None:
    assert accepted_with_probability(0.72, STRICT_TRIALS, CONTENT) < 1e-12
    assert accepted_with_probability(0.97, STRICT_TRIALS, CONTENT) > 0.97


def test_the_documented_table_is_what_the_code_does() -> None:
    rows = re.findall(r"^\| (0\.\d+) \| (\d+) \| (\d+) \|(.+)\|$", OPERATING_CHARACTERISTIC.read_text("utf-8"), re.M)
    rates = (0.72, 0.80, 0.85, 0.90, 0.95, 0.97, 0.99)
    assert len(rows) >= 6
    for required, trials, needed, cells in rows:
        assert least_right(int(trials), float(required)) == int(needed)
        expected = [f"{100 * accepted_with_probability(rate, int(trials), float(required)):.1f}" for rate in rates]
        assert [cell.strip() for cell in cells.split("|")] == expected


def test_one_right_try_is_enough_and_ends_the_trying() -> None:
    plan = one_right_of(5)
    assert not plan.is_certain(0, 4)
    assert plan.is_certain(1, 1)
    assert plan.is_certain(0, 5)
    assert plan.holds(1)
    assert not plan.holds(0)


def test_a_rate_is_shown_to_the_end_and_given_up_when_lost() -> None:
    plan = at_least(CONTENT, 200)
    assert plan.needed == 189
    assert not plan.is_certain(189, 189)
    assert not plan.is_certain(189, 200)
    assert plan.is_certain(0, 12)
    assert not plan.is_certain(0, 11)


def test_stopping_early_never_changes_a_decision() -> None:
    plan = at_least(DRAMA, 100)
    for right in range(101):
        lost = 100 - right
        stops = any(plan.is_certain(0, wrong) for wrong in range(lost + 1))
        assert stops is not plan.holds(right)


def test_pairs_need_every_trial() -> None:
    assert not all_of(200).is_certain(0, 199)
    assert all_of(200) == Plan(200, 0, stops_when_met=False)


@pytest.mark.parametrize(
    ("plan", "rights", "made"),
    [
        (one_right_of(5), [True], 1),
        (one_right_of(5), [False, True, True, False, True], 5),  # the four after the first run at once
        (one_right_of(3), [False, False, False], 3),
        (Plan(20, 15, stops_when_met=False), [False] * 8, 8),  # six wrong are too many; waves of four
        (Plan(6, 6, stops_when_met=False), [True] * 6, 6),
    ],
)
def test_trials_are_made_until_the_decision_is_certain(plan: Plan, rights: list[bool], made: int) -> None:
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(run(plan, lambda number: (number, rights[number - 1]), lambda trial: trial[1], pool, width=4))
    assert outcomes == list(enumerate(rights, start=1))[:made]


def test_what_a_trial_raises_comes_through_when_the_others_have_ended() -> None:
    ended = []

    def attempt(number: int) -> bool:
        if number == 2:
            raise ConnectionError("gone")
        ended.append(number)
        return True

    with ThreadPoolExecutor(4) as pool, pytest.raises(ConnectionError, match="gone"):
        list(run(Plan(4, 4, stops_when_met=False), attempt, bool, pool, width=4))
    assert sorted(ended) == [1, 3, 4]
