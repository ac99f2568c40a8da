"""Percentiles, latencies and throughput, against figures that can be worked out by hand."""

from __future__ import annotations

from random import Random
from statistics import quantiles

import pytest

from tests.acceptance.performance.formulas import Spread, Timing, apart, figures, histogram, most_at_once, percentile


def answer(sent: float, first: float, gap: float, pieces: int, error: str = "") -> Timing:
    """Pieces at an even pace; the end comes with the last."""
    at = tuple(sent + first + gap * number for number in range(pieces))
    return Timing(sent, at, at[-1] if at else sent, pieces, error)


def test_percentiles_are_the_standard_librarys() -> None:
    values = [Random(7).random() for _ in range(101)]
    cuts = quantiles(values, n=100, method="inclusive")
    assert [percentile(values, share) for share in (0.5, 0.95, 0.99)] == pytest.approx([cuts[49], cuts[94], cuts[98]])
    assert percentile([3.0], 0.99) == 3.0
    assert percentile([1.0, 2.0], 0.5) == 1.5
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 0.5)


def test_figures_of_an_even_load() -> None:
    found = figures([answer(0.0, 0.1, 0.01, 11), answer(0.0, 0.3, 0.01, 11), answer(1.0, 0.2, 0.01, 11)])
    assert (found.requests, found.failed, found.tokens) == (3, 0, 33)
    assert found.seconds == pytest.approx(1.3)
    assert found.ttft_ms == Spread(200.0, 200.0, 290.0, 298.0)
    assert found.itl_ms.median == pytest.approx(10.0)
    assert found.tokens_per_s == pytest.approx(33 / 1.3, abs=0.01)
    assert found.requests_per_s == pytest.approx(3 / 1.3, abs=0.001)


def test_a_late_gap_shows_in_the_tail_alone() -> None:
    slow = Timing(0.0, (0.1, 0.11, 0.12, 1.12), 1.12, 4)
    found = figures([slow, *[answer(0.0, 0.1, 0.01, 11) for _ in range(9)]])
    assert found.itl_ms.median == pytest.approx(10.0)
    assert found.itl_ms.p99 > 10.0
    assert found.itl_ms.mean > 15.0


def test_a_failed_request_is_counted_and_in_no_latency() -> None:
    found = figures([answer(0.0, 0.1, 0.01, 11), answer(0.0, 9.0, 0.01, 2, error="HTTP 503")])
    assert (found.requests, found.failed, found.tokens) == (2, 1, 11)
    assert found.ttft_ms.p99 == pytest.approx(100.0)
    with pytest.raises(ValueError, match="none of 1 requests was answered whole: HTTP 503"):
        figures([answer(0.0, 9.0, 0.01, 2, error="HTTP 503")])


def test_the_most_at_once() -> None:
    overlapping = [answer(0.0, 0.0, 1.0, 3), answer(1.0, 0.0, 1.0, 3), answer(1.5, 0.0, 1.0, 3)]
    assert most_at_once(overlapping) == 3
    assert most_at_once([answer(0.0, 0.0, 1.0, 3), answer(2.0, 0.0, 1.0, 3)]) == 1
    assert most_at_once([Timing(0.0, (), 1.0, 0, "refused")]) == 0


def test_how_far_apart() -> None:
    assert apart(95.0, 100.0) == pytest.approx(0.05)
    assert apart(100.0, 95.0) == pytest.approx(0.05)
    with pytest.raises(ValueError, match="cannot be compared"):
        apart(0.0, 1.0)


def test_the_histogram_holds_every_gap() -> None:
    assert histogram([0.01, 0.01004, 0.2]) == {"10.0": 2, "200.0": 1}
