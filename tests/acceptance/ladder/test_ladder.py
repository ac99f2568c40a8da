"""第 3.2 节 / Section 3.2: what each saving saves. Servers in turn; run with `pytest -m ladder`.

The homework reads 34 GB, 19 GB and 26 GB off a monitor. Here every rung is measured, asserted against the memory model,
and compared with the rung that differs in one thing.
"""

from typing import Any

import pytest

from fixtures.gpu.kv_capacity import capacity_fault
from fixtures.gpu.memory_model import TOLERANCES, ready_fault
from fixtures.gpu.sampler import Release
from fixtures.run.measurement import assert_no_fault
from fixtures.server.in_turn import (
    BF16,
    BF16_INT4,
    BF16_INT8,
    DEFAULT,
    HOMEWORK,
    KV_RATIO_INT4,
    KV_RATIO_INT8,
    SAME_MIB,
    Configuration,
)
from fixtures.texts import Message, message
from tests.acceptance.ladder.climb import FILL_SHARE, Ground
from tests.acceptance.ladder.rungs import Climbed, FailedStart

pytestmark = [pytest.mark.gpu, pytest.mark.ladder]

LEAK_MIB = 64.0
"""After the first requests no buffer is new: 200 more may not grow the memory by more than the driver's rounding."""

Rungs = dict[str, dict[str, Any]]


def release_fault(release: Release) -> Message | None:
    """Find whether memory is still in use."""
    if release.complete:
        return None
    return message("ladder.not_released", mib=release.used_mib, seconds=release.seconds)


class TestEachRung:
    """Every server agrees with the memory model and gives its memory back, on the whole card and on small ones."""

    def test_memory_when_ready_is_the_models(self, climbed: Climbed) -> None:
        """Within 5 % or 500 MiB."""
        model = climbed.expectation
        assert_no_fault(ready_fault(model, climbed.row["ready_mib"]))
        assert abs(climbed.row["ready_mib"] - model.ready_mib) <= model.terms["tolerance"]

    def test_weights_come_before_the_cache(self, climbed: Climbed) -> None:
        """Memory before its largest step is baseline, weights and context."""
        model = climbed.expectation
        assert climbed.row["idle_mib"] + model.terms["weights"] <= climbed.row["loaded_mib"]
        assert climbed.row["loaded_mib"] <= model.ready_mib - model.kv_mib + model.terms["tolerance"]

    def test_cache_is_as_promised_by_the_log(self, climbed: Climbed, ground: Ground) -> None:
        """Bits, share and tokens."""
        knobs = climbed.rung.configuration.knobs()
        assert_no_fault(capacity_fault(climbed.cache, ground.geometry, knobs, climbed.expectation.kv_tokens))

    def test_cache_holds_the_tokens(self, climbed: Climbed) -> None:
        """Long requests that fill 0.8 of it all answer at the same time; the metrics agree on the size within 10 %."""
        filled, promised = climbed.filled, climbed.expectation.kv_tokens
        assert filled.requests == filled.asked
        assert filled.tokens >= 0.95 * FILL_SHARE * promised
        assert filled.capacity is None or filled.capacity == pytest.approx(promised, rel=0.1)

    def test_load_takes_no_memory_of_its_own(self, climbed: Climbed) -> None:
        """Long prompts and many requests stay within the slack of the figure when ready."""
        assert climbed.row["peak_mib"] <= climbed.row["ready_mib"] + TOLERANCES["peak_slack"]
        assert climbed.row["peak_mib"] <= climbed.expectation.peak_limit_mib

    def test_two_hundred_requests_leak_nothing(self, climbed: Climbed) -> None:
        """Memory after them is what it was after the first twenty."""
        assert climbed.row["after_requests_mib"] <= climbed.row["settled_mib"] + LEAK_MIB

    def test_memory_comes_back(self, climbed: Climbed) -> None:
        """To the idle figure, after a stop; on one rung after SIGKILL."""
        assert_no_fault(release_fault(climbed.release))


@pytest.mark.together("start-that-fails")
class TestAStartThatFails:
    """Late, with the weights on the GPU: the cause is named and the memory comes back."""

    def test_cause_is_named(self, failed_start: FailedStart) -> None:
        """In the server's own words."""
        assert failed_start.error is not None, "the server started"
        assert "out of memory" in str(failed_start.error).lower()

    def test_weights_were_on_the_gpu(self, failed_start: FailedStart) -> None:
        """A start that fails earlier would show nothing about memory."""
        assert failed_start.facts["peak_mib"] >= failed_start.facts["idle_mib"] + failed_start.weights_mib

    def test_memory_comes_back(self, failed_start: FailedStart) -> None:
        """To the idle figure."""
        assert_no_fault(release_fault(failed_start.release))


@pytest.mark.together("last")
class TestTheLadder:
    """What each change does, measured: the homework's directions, and the one that it gets wrong."""

    def test_half_the_share_takes_half_the_cache(self, rungs: Rungs) -> None:
        """0.8 to 0.4 frees 0.4 of what is free beside the weights."""
        whole, half = rungs[DEFAULT.id], rungs[BF16.id]
        assert whole["ready_mib"] - half["ready_mib"] == pytest.approx(0.4 * whole["model_free_mib"], rel=0.05)

    @pytest.mark.parametrize("narrow", [BF16_INT8, BF16_INT4], ids=["int8", "int4"])
    def test_quantizing_the_cache_saves_no_memory(self, rungs: Rungs, narrow: Configuration) -> None:
        """The share is the share. The homework's 34 GB to 26 GB is the work of the share, not of int4."""
        assert rungs[narrow.id]["ready_mib"] == pytest.approx(rungs[BF16.id]["ready_mib"], abs=SAME_MIB)

    @pytest.mark.parametrize(
        ("narrow", "ratio"), [(BF16_INT8, KV_RATIO_INT8), (BF16_INT4, KV_RATIO_INT4)], ids=["int8", "int4"]
    )
    def test_quantizing_the_cache_buys_tokens(self, rungs: Rungs, narrow: Configuration, ratio: float) -> None:
        """By the log, and by what was held at the same time."""
        wide, found = rungs[BF16.id], rungs[narrow.id]
        assert found["kv_tokens"] >= ratio * wide["kv_tokens"]
        assert found["kv_tokens_held"] >= 0.95 * ratio * wide["kv_tokens_held"]

    def test_quantized_weights_take_less_and_leave_more_to_the_cache(self, rungs: Rungs) -> None:
        """W4A16 lowers the memory by 0.6 of what the weights lost: 0.4 of it goes to the cache."""
        heavy, light = rungs[BF16_INT4.id], rungs[HOMEWORK.id]
        lost = heavy["model_parts_mib"]["weights"] - light["model_parts_mib"]["weights"]
        assert heavy["ready_mib"] - light["ready_mib"] == pytest.approx(0.6 * lost, abs=SAME_MIB)
        assert light["kv_tokens"] > heavy["kv_tokens"]
