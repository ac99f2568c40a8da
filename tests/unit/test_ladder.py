"""The rungs, and the step at which a KV cache is seen to arrive."""

from __future__ import annotations

import pytest

from fixtures.ladder import RUNGS, before_largest_step
from fixtures.vram import Sample


def test_the_cache_arrives_in_the_largest_step() -> None:
    figures = [100, 600, 1200, 2400, 33000, 33900]
    assert before_largest_step([Sample(t, mib) for t, mib in enumerate(figures)]) == 2400


def test_a_step_needs_two_samples() -> None:
    with pytest.raises(ValueError, match="two samples"):
        before_largest_step([Sample(0, 1)])


def test_rungs_differ_from_an_earlier_one_in_one_knob() -> None:
    for number, rung in enumerate(RUNGS[1:], start=1):
        differences = [
            sum(getattr(rung, knob) != getattr(earlier, knob) for knob in ("weights", "share", "quant_policy"))
            for earlier in RUNGS[:number]
        ]
        assert min(differences) == 1
