"""Latencies, throughput and arrival times, against figures that can be worked out by hand."""

from itertools import pairwise
from statistics import fmean, pstdev

import pytest

from tests.acceptance.performance.formulas import Spread, Timing, figures, most_at_once
from tests.acceptance.performance.workloads import Load


def answer(sent: float, first: float, gap: float, pieces: int, error: str = "") -> Timing:
    """Pieces at an even pace; the end comes with the last."""
    at = tuple(sent + first + gap * number for number in range(pieces))
    return Timing(sent, at, at[-1] if at else sent, pieces, error)


def test_figures_of_an_even_load() -> None:
    found = figures([answer(0.0, 0.1, 0.01, 11), answer(0.0, 0.3, 0.01, 11), answer(1.0, 0.2, 0.01, 11)])
    assert (found.requests, found.failed, found.tokens) == (3, 0, 33)
    assert found.seconds == pytest.approx(1.3)
    assert found.ttft_ms == Spread(200.0, 200.0, 290.0, 298.0)
    assert found.itl_ms.median == pytest.approx(10.0)
    assert found.tokens_per_s == pytest.approx(33 / 1.3, abs=0.01)
    assert found.requests_per_s == pytest.approx(3 / 1.3, abs=0.001)
    assert figures([Timing(0.0, (0.1, 0.11, 1.11, 1.12), 1.12, 4)]).longest_gap_s == 1.0
    assert Spread.of([0.2]) == Spread(200.0, 200.0, 200.0, 200.0)


def test_failed_request_is_counted_and_in_no_latency() -> None:
    found = figures([answer(0.0, 0.1, 0.01, 11), answer(0.0, 9.0, 90.0, 2, error="HTTP 503")])
    assert (found.requests, found.failed, found.tokens, found.error) == (2, 1, 11, "HTTP 503")
    assert found.ttft_ms.p99 == pytest.approx(100.0)
    assert found.longest_gap_s < 1
    with pytest.raises(ValueError, match="none of 1 requests was answered whole: HTTP 503"):
        figures([answer(0.0, 9.0, 0.01, 2, error="HTTP 503")])


def test_most_at_once_counts_what_overlaps() -> None:
    overlapping = [answer(0.0, 0.0, 1.0, 3), answer(1.0, 0.0, 1.0, 3), answer(1.5, 0.0, 1.0, 3)]
    assert most_at_once(overlapping) == 3
    assert most_at_once([answer(0.0, 0.0, 1.0, 3), answer(2.0, 0.0, 1.0, 3)]) == 1
    assert most_at_once([Timing(0.0, (), 1.0, 0, "refused")]) == 0


def test_poisson_arrivals_have_their_rate_and_their_irregularity() -> None:
    times = Load(4000, rate=16.0).times()
    gaps = [after - before for before, after in pairwise(times)]
    assert times[0] == 0.0
    assert fmean(gaps) == pytest.approx(1 / 16, rel=0.05)
    assert pstdev(gaps) == pytest.approx(fmean(gaps), rel=0.1), "as large as the mean: exponential"
    assert Load(4000, rate=16.0).times() == times


def test_uniform_arrivals_are_even_and_users_have_none() -> None:
    assert Load(4, rate=2.0, arrivals="uniform").times() == [0.0, 0.5, 1.0, 1.5]
    with pytest.raises(ValueError, match="8 at a time"):
        Load(8, concurrency=8).times()
