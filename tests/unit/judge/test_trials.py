"""Statistics of trials: intervals, decisions, their error rates, and when further trials are of no use."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from fixtures.judge.profile import CONTENT, DRAMA, SAFETY, STRICT_TRIALS
from fixtures.judge.trials import Plan, Trials, all_of, at_least, least_right, one_right_of, wilson
from fixtures.texts import message

OPERATING_CHARACTERISTIC = Path(__file__).parents[3] / "docs" / "trials.md"
WRONG = message("fault.no_call", reply="It is 8.")


def accepted(rate: float, trials: int, required: float) -> float:
    """How often a model that is right with `rate` is accepted."""
    from scipy.stats import binom

    needed = least_right(trials, required)
    return 0.0 if needed is None else float(binom.sf(needed - 1, trials, rate))


@pytest.mark.parametrize(
    ("right", "trials", "lower", "upper"),
    [(0, 0, 0, 1), (18, 20, 0.699, 0.972), (0, 10, 0, 0.278), (10, 10, 0.722, 1), (200, 200, 0.981, 1)],
)
def test_wilson_interval_has_the_published_values(right: int, trials: int, lower: float, upper: float) -> None:
    found = wilson(right, trials)
    assert (found.lower, found.upper) == (pytest.approx(lower, abs=0.001), pytest.approx(upper, abs=0.001))


@pytest.mark.parametrize("required", [DRAMA, CONTENT, SAFETY])
@pytest.mark.parametrize("trials", [80, 200, 500])
def test_least_right_is_the_first_whose_lower_bound_suffices(trials: int, required: float) -> None:
    needed = least_right(trials, required)
    assert needed is not None
    assert wilson(needed, trials).lower >= required > wilson(needed - 1, trials).lower


def test_too_few_trials_cannot_show_a_high_rate() -> None:
    assert least_right(72, 0.95) is None
    with pytest.raises(ValueError, match=r"72 trials cannot show a rate of 0\.95"):
        at_least(0.95, 72)


@pytest.mark.parametrize(
    ("rate", "required", "least", "most"),
    [
        *((required, required, 0.0, 0.04) for required in (DRAMA, CONTENT, SAFETY)),  # by chance
        (0.72, CONTENT, 0.0, 1e-12),  # the damaged model
        (0.97, CONTENT, 0.97, 1.0),  # the healthy one
    ],
)
def test_decision_tells_the_damaged_model_from_the_healthy_one(
    rate: float, required: float, least: float, most: float
) -> None:
    assert least <= accepted(rate, STRICT_TRIALS, required) <= most


def test_documented_table_is_what_the_code_does() -> None:
    rows = re.findall(r"^\| (0\.\d+) \| (\d+) \| (\d+) \|(.+)\|$", OPERATING_CHARACTERISTIC.read_text("utf-8"), re.M)
    rates = (0.72, 0.80, 0.85, 0.90, 0.95, 0.97, 0.99)
    assert len(rows) >= 6
    for required, trials, needed, cells in rows:
        assert least_right(int(trials), float(required)) == int(needed)
        expected = [f"{100 * accepted(rate, int(trials), float(required)):.1f}" for rate in rates]
        assert [cell.strip() for cell in cells.split("|")] == expected


@pytest.mark.parametrize(
    ("plan", "right", "done", "certain"),
    [
        (lambda: one_right_of(5), 0, 4, False),
        (lambda: one_right_of(5), 1, 1, True),
        (lambda: one_right_of(5), 0, 5, True),
        (lambda: at_least(CONTENT, 200), 189, 189, False),  # its interval is published: it is tried to the end
        (lambda: at_least(CONTENT, 200), 189, 200, True),
        (lambda: at_least(CONTENT, 200), 0, 11, False),
        (lambda: at_least(CONTENT, 200), 0, 12, True),
        (lambda: all_of(200), 0, 199, False),  # pairs need every trial
        (lambda: all_of(200), 0, 200, True),
    ],
)
def test_trials_end_when_the_decision_is_certain(
    plan: Callable[[], Plan], right: int, done: int, certain: bool
) -> None:
    assert plan().is_certain(right, done) is certain


def test_stopping_early_never_changes_a_decision() -> None:
    plan = at_least(DRAMA, 100)
    for right in range(101):
        assert any(plan.is_certain(0, wrong) for wrong in range(101 - right)) is not plan.is_met(right)


def test_trials_say_how_many_were_right_and_what_was_wrong_with_the_others() -> None:
    trials = Trials(Plan(200, 189, stops_when_met=False), (None, *[WRONG] * 12))
    assert (trials.made, trials.right, trials.rights[:2]) == (13, 1, [True, False])
    said = str(trials.fault)
    assert said.startswith("1 of 13 right [0.014, 0.333], asked for were 189 of 200")
    assert "trial 2: the model called no tool" in said
    assert said.endswith("7 more")
    assert Trials(one_right_of(5), (WRONG, None)).fault is None
