"""The step at which a KV cache is seen to arrive."""

from __future__ import annotations

import pytest

from fixtures.gpu.sampler import Sample
from tests.acceptance.ladder.rungs import before_largest_step


@pytest.mark.parametrize(
    ("figures", "before"),
    [
        ([100, 600, 1200, 2400, 33000, 33900], 2400),
        ([0, 3000, 33000], 3000),
        # Of an H200: a sample in the middle of 55 GiB, then one near its end, then a small card's 2 GiB.
        ([1623, 2683, 3419, 4091, 4731, 31931, 60091, 60345], 4731),
        ([1227, 1985, 2939, 3611, 4123, 4827, 50651, 60027, 60345], 4827),
        ([135774, 135852, 136216, 137414, 137680, 138032, 139942, 140262], 138032),
    ],
)
def test_cache_arrives_in_the_largest_step(figures: list[float], before: float) -> None:
    assert before_largest_step([Sample(t, mib) for t, mib in enumerate(figures)]) == before


def test_single_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="two samples"):
        before_largest_step([Sample(0, 1)])
