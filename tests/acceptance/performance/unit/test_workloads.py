"""Loads are data; their arrival times follow from a seed and have the rate that they are named after."""

from __future__ import annotations

from itertools import pairwise
from statistics import fmean, pstdev

import pytest

from tests.acceptance.performance.workloads import GPU, HELD_ANSWER_TOKENS, REHEARSAL, Load, Workload


def test_poisson_arrivals_have_their_rate_and_their_irregularity() -> None:
    times = Load(4000, rate=16.0).times()
    gaps = [after - before for before, after in pairwise(times)]
    assert times[0] == 0.0
    assert fmean(gaps) == pytest.approx(1 / 16, rel=0.05)
    assert pstdev(gaps) == pytest.approx(fmean(gaps), rel=0.1), "as large as the mean: exponential"
    assert Load(4000, rate=16.0).times() == times


def test_uniform_arrivals_are_even() -> None:
    assert Load(4, rate=2.0, arrivals="uniform").times() == [0.0, 0.5, 1.0, 1.5]


def test_users_have_no_arrival_times() -> None:
    with pytest.raises(ValueError, match="8 at a time"):
        Load(8, concurrency=8).times()


@pytest.mark.parametrize("workload", [GPU, REHEARSAL])
def test_every_load_has_a_name_of_its_own_and_enough_requests(workload: Workload) -> None:
    names = [load.name for load in workload.loads]
    assert len(set(names)) == len(names)
    for load in workload.loads:
        assert (load.concurrency is None) != (load.rate is None)
        assert load.requests >= 2 * (load.concurrency or 1)
    assert any(load.rate for load in workload.loads)
    assert len([load for load in workload.loads if load.concurrency]) >= 2


def test_long_answers_outlast_the_admission_of_the_most_that_a_large_card_holds() -> None:
    assert HELD_ANSWER_TOKENS > 300
