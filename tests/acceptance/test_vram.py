"""基础任务一的显存 / First task, the memory: what the deployment takes, and that it gives it back."""

import pytest

from fixtures.evidence.events import CONTROL_PHASE
from fixtures.gpu.memory_model import MemoryExpectation, peak_fault, ready_fault
from fixtures.gpu.plugin import mark
from fixtures.gpu.sampler import RELEASE_DEADLINE_S, Sampler, wait_released
from fixtures.judge.deployment import release_fault
from fixtures.run.claims import claim
from fixtures.run.measurement import Measure, assert_no_fault
from fixtures.server.deployment import Deployment

pytestmark = pytest.mark.gpu


@claim(
    "vram.after_start",
    part="chat",
    zh="启动后的显存在阈值以内",
    en="VRAM after the start is within its threshold",
    needs_gpu=True,
    structural="memory",
)
@pytest.mark.usefixtures("deployment")
def test_vram_after_start_is_as_promised(
    vram: Sampler, memory_expectations: list[MemoryExpectation], measure: Measure
) -> None:
    """Weights, 0.4 of the free memory for the KV cache, and the rest: not more, and not suspiciously less."""
    for card, expected in zip(vram.cards, memory_expectations, strict=True):
        ready = card.phase_mib("ready")
        measure("vram_after_start", ready, "MiB", at_most=expected.ready_limit_mib, gpu=_number(card))
        assert_no_fault(ready_fault(expected, ready))


@claim(
    "vram.peak",
    part="chat",
    zh="显存峰值在阈值以内",
    en="Peak VRAM is within its threshold",
    needs_gpu=True,
    structural="memory",
)
@pytest.mark.usefixtures("deployment")
def test_vram_at_peak_is_below_the_threshold(
    vram: Sampler, memory_expectations: list[MemoryExpectation], measure: Measure
) -> None:
    """Neither the chat nor the function calls took more memory than the server had set aside."""
    for card, expected in zip(vram.cards, memory_expectations, strict=True):
        peak = card.peak_mib(since_phase="loading", before_phase=CONTROL_PHASE)
        measure("vram_peak", peak, "MiB", at_most=expected.peak_limit_mib, gpu=_number(card))
        assert_no_fault(peak_fault(expected, peak))


@claim(
    "vram.released",
    part="deployment",
    zh="服务停止后显存已释放",
    en="VRAM is released after the server stopped",
    needs_gpu=True,
)
def test_vram_is_released_after_stop(vram: Sampler, deployment: Deployment, measure: Measure) -> None:
    """The last claim: the server is stopped, and every card is as it was."""
    deployment.stop()
    mark(vram, "stopped")
    for card in vram.cards:
        release = wait_released(card.last_mib, card.phase_mib("idle"))
        measure("vram_after_stop", release.used_mib, "MiB", at_most=release.limit_mib, gpu=_number(card))
        measure("released_after", round(release.seconds, 1), "s", at_most=RELEASE_DEADLINE_S, gpu=_number(card))
        assert_no_fault(release_fault(release))


def _number(card: Sampler) -> int | None:
    """Return the card's number where there are several."""
    return card.gpu if len(card.cards) > 1 or card.gpu else None
