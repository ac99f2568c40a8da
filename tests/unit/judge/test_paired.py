"""Quantized against unquantized: counts, cost with its interval, exact test."""

import random

import pytest

from fixtures.judge.paired import Paired, cost_fault, pair
from fixtures.judge.trials import Trials, all_of
from fixtures.texts import message
from tests.unit.answers import fault_id


def test_pairs_are_counted_by_kind() -> None:
    control = [True, True, True, False, False]
    quantized = [True, False, False, True, False]
    assert pair(control, quantized) == Paired(both=1, control_only=2, quantized_only=1, neither=1)


@pytest.mark.parametrize(("control", "quantized"), [([], []), ([True], [True, False])])
def test_runs_that_are_no_pairs_are_refused(control: list[bool], quantized: list[bool]) -> None:
    with pytest.raises(ValueError, match="no pairs"):
        pair(control, quantized)


def test_cost_is_the_difference_of_the_rates() -> None:
    found = Paired(both=150, control_only=40, quantized_only=4, neither=6)
    assert (found.control, found.quantized, found.trials) == (190, 154, 200)
    assert found.cost == pytest.approx(0.18)
    interval = found.interval()
    assert 0.1 < interval.lower < found.cost < interval.upper < 0.26
    assert found.p_value < 1e-6


def test_mcnemars_exact_test_is_binomial_on_the_pairs_that_differ() -> None:
    from scipy.stats import binom

    found = Paired(both=90, control_only=8, quantized_only=2, neither=0)
    assert found.p_value == pytest.approx(2 * float(binom.cdf(2, 10, 0.5)))
    assert Paired(both=100, control_only=0, quantized_only=0, neither=0).p_value == 1.0


def test_no_difference_still_has_an_interval() -> None:
    found = Paired(both=200, control_only=0, quantized_only=0, neither=0)
    assert found.cost == 0
    assert found.interval().lower == pytest.approx(-0.0188, abs=1e-3)
    assert found.interval().upper == pytest.approx(0.0188, abs=1e-3)


def test_exchanged_servers_turn_the_interval_around() -> None:
    one = Paired(both=80, control_only=15, quantized_only=3, neither=2).interval()
    other = Paired(both=80, control_only=3, quantized_only=15, neither=2).interval()
    assert (one.lower, one.upper) == (pytest.approx(-other.upper), pytest.approx(-other.lower))


def test_interval_holds_the_true_cost_in_about_95_of_100_runs() -> None:
    rng = random.Random(1)
    kinds = [(True, True), (True, False), (False, True), (False, False)]
    covered = 0
    for _ in range(400):
        drawn = rng.choices(kinds, (0.80, 0.10, 0.03, 0.07), k=200)
        interval = pair([one for one, _ in drawn], [other for _, other in drawn]).interval()
        covered += interval.lower <= 0.07 <= interval.upper
    assert 0.92 <= covered / 400 <= 0.99


def trials(right: int, made: int = 200) -> Trials:
    return Trials(all_of(made), (None,) * right + (message("fault.no_call", reply="8"),) * (made - right))


@pytest.mark.parametrize(
    ("paired", "fault"),
    [
        (Paired(both=190, control_only=6, quantized_only=2, neither=2), ""),
        (Paired(both=150, control_only=40, quantized_only=4, neither=6), "cost"),
        (Paired(both=50, control_only=40, quantized_only=10, neither=100), "nothing_to_compare"),
        (Paired(both=0, control_only=0, quantized_only=0, neither=80), "nothing_to_compare"),
    ],
)
def test_cost_speaks_against_quantization_only_where_there_was_something_to_lose(paired: Paired, fault: str) -> None:
    found = cost_fault(paired, trials(paired.control), trials(paired.quantized))
    assert fault_id(found) == fault
    assert "right" in str(found) or not fault
