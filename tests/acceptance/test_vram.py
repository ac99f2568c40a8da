"""基础任务一的显存 / First task, the memory: what the deployment takes, and that it gives it back."""

import pytest

from fixtures.deployment import Deployment
from fixtures.gpu import CONTROL_PHASE, mark
from fixtures.measurement import Measure
from fixtures.memory_model import MemoryExpectation, why_not_ready_as_expected
from fixtures.vram import RELEASE_DEADLINE_S, Sampler, wait_released

pytestmark = pytest.mark.gpu

GIB = 1024


@pytest.mark.claim("vram.after_start")
@pytest.mark.usefixtures("deployment")
def test_vram_after_start_is_as_promised(
    vram: Sampler, memory_expectation: MemoryExpectation, measure: Measure
) -> None:
    """Weights, 0.4 of the free memory for the KV cache, and the rest: not more, and not suspiciously less."""
    ready = vram.phase_mib("ready")
    measure("VRAM after start", round(ready / GIB, 2), "GiB", f"<= {memory_expectation.ready_limit_mib / GIB:.2f} GiB")
    problem = why_not_ready_as_expected(memory_expectation, ready)
    assert not problem, problem


@pytest.mark.claim("vram.peak")
@pytest.mark.usefixtures("deployment")
def test_vram_at_peak_is_below_the_threshold(
    vram: Sampler, memory_expectation: MemoryExpectation, measure: Measure
) -> None:
    """Neither the chat nor the function calls took more memory than the server had set aside."""
    peak = vram.peak_mib(since_phase="loading", before_phase=CONTROL_PHASE)
    measure("VRAM at peak", round(peak / GIB, 2), "GiB", f"<= {memory_expectation.peak_limit_mib / GIB:.2f} GiB")
    assert peak <= memory_expectation.peak_limit_mib, (
        f"{peak:.0f} MiB in use at peak, {memory_expectation.peak_limit_mib:.0f} at most expected: the server took "
        f"more under load than it had set aside, or another process came. {memory_expectation.formula}"
    )


@pytest.mark.claim("vram.released")
def test_vram_is_released_after_stop(vram: Sampler, deployment: Deployment, measure: Measure) -> None:
    """The last claim: the server is stopped, and the card is as it was."""
    deployment.stop()
    mark(vram, "stopped")
    release = wait_released(vram.last_mib, vram.phase_mib("idle"))
    measure("VRAM after stop", round(release.used_mib / GIB, 2), "GiB", f"<= {release.limit_mib / GIB:.2f} GiB")
    measure("released after", round(release.seconds, 1), "s", f"<= {RELEASE_DEADLINE_S:g} s")
    assert release.complete, f"{release.used_mib:.0f} MiB are still in use {release.seconds:.0f} s after the stop"
