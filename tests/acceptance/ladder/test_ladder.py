"""第 3.2 节 / Section 3.2: what each saving saves. Servers in turn; run with `pytest -m ladder`.

The homework reads 34 GB, 19 GB and 26 GB off a monitor. Here every rung is measured, asserted against the memory model,
and compared with the rung that differs in one knob.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from xprocess import XProcess

from fixtures.errors import SettingsError
from fixtures.evidence import Evidence
from fixtures.evidence.events import EnvironmentRecorded
from fixtures.gpu.kv_capacity import capacity_fault
from fixtures.gpu.memory_model import TOLERANCES, Geometry, kv_capacity_tokens, ready_fault
from fixtures.gpu.probe import Probe
from fixtures.gpu.sampler import Sampler
from fixtures.lmdeploy.capabilities import Capabilities
from fixtures.model.checkpoint import Checkpoint
from fixtures.model.quantization import QuantizedCheckpoint
from fixtures.run.measurement import assert_no_fault
from fixtures.run.progress import Progress
from fixtures.run.settings import Settings
from fixtures.session.workers import is_worker
from tests.acceptance.ladder.climb import FILL_SHARE, Ground, climb, fail_to_start
from tests.acceptance.ladder.plugin import CLIMB_DEADLINE_S, Ladder
from tests.acceptance.ladder.rungs import (
    DEFAULT,
    FAILING,
    HALF_SHARE,
    HOMEWORK,
    INT4_KV,
    INT8_KV,
    KV_RATIO_INT4,
    KV_RATIO_INT8,
    RUNGS,
    SMALL_CARDS,
    Climbed,
    FailedStart,
    Rung,
)

pytestmark = [pytest.mark.gpu, pytest.mark.ladder]

SAME_MIB = 200.0
"""Two servers that should take the same memory: the driver rounds, and a kernel more or less is loaded."""

LEAK_MIB = 64.0
"""After the first requests no buffer is new: 200 more may not grow the memory by more than the driver's rounding."""


@pytest.fixture(scope="session")
def ground(
    gpu: Probe | None,
    sampler: Sampler | None,
    checkpoint: Checkpoint,
    capabilities: Capabilities,
    settings: Settings,
    xprocess: XProcess,
    evidence: Evidence,
    api_key: str,
) -> Ground:
    """What every rung stands on."""
    if gpu is None or sampler is None or checkpoint.geometry != "internlm2_5-1_8b":
        raise SettingsError(
            "the ladder measures the 1.8B model on a GPU: neither another checkpoint nor a rehearsal will do",
            where=f"--checkpoint {settings.checkpoint}",
            remedy="give internlm2_5-1_8b-chat, or `--checkpoint geometry`, which has its exact shape",
        )
    return Ground(gpu, sampler, settings, capabilities, xprocess, evidence, Geometry.of(checkpoint.config), api_key)


@pytest.fixture(scope="session")
def ladder(evidence: Evidence) -> Ladder:
    """What was measured so far, by all workers."""
    return Ladder(evidence.folder)


@pytest.fixture(scope="module", params=RUNGS + SMALL_CARDS, ids=lambda rung: rung.id)
def climbed(
    request: pytest.FixtureRequest,
    ground: Ground,
    checkpoint: Checkpoint,
    quantized: QuantizedCheckpoint,
    environment: EnvironmentRecorded,
    ladder: Ladder,
    progress: Progress,
) -> Climbed:
    """A rung, measured: its server has come and gone when the tests look at it."""
    del environment  # only asked for so that the events say on what
    rung: Rung = request.param
    is_bf16 = rung.weights == "bf16"
    with progress.stage(rung.id):
        measured = climb(
            ground,
            rung,
            checkpoint.folder if is_bf16 else quantized.folder,
            checkpoint.bytes if is_bf16 else quantized.bytes,
        )
    ladder.keep(measured)
    return measured


@pytest.fixture(scope="module")
def failed_start(ground: Ground, quantized: QuantizedCheckpoint, progress: Progress) -> FailedStart:
    """A server that finds too little memory for its last allocation, and is gone when the tests look at it."""
    with progress.stage(FAILING.id):
        return fail_to_start(ground, FAILING, quantized.folder, quantized.bytes)


@pytest.fixture
def rungs(request: pytest.FixtureRequest, ladder: Ladder) -> dict[str, Climbed]:
    """All rungs, for comparisons: they come last, and other workers may still be climbing."""
    if is_worker(request.config):
        ladder.await_rungs(RUNGS, CLIMB_DEADLINE_S)
    missing = [rung.id for rung in RUNGS if rung.id not in ladder.rungs]
    if missing:
        pytest.fail(f"not all rungs were measured in this run; missing: {', '.join(missing)}")
    return ladder.rungs


class TestEachRung:
    """Every server agrees with the memory model and gives its memory back, on the whole card and on small ones."""

    def test_memory_when_ready_is_the_models(self, climbed: Climbed) -> None:
        """Within 5 % or 500 MiB."""
        model = climbed.expectation
        assert abs(climbed.ready_mib - model.ready_mib) <= model.tolerance_mib
        assert_no_fault(ready_fault(model, climbed.ready_mib))

    def test_the_weights_come_before_the_cache(self, climbed: Climbed) -> None:
        """Memory before its largest step is baseline, weights and context."""
        model = climbed.expectation
        assert climbed.idle_mib + model.weights_mib <= climbed.loaded_mib
        assert climbed.loaded_mib <= model.ready_mib - model.kv_mib + model.tolerance_mib

    def test_the_server_says_that_the_cache_is_as_promised(self, climbed: Climbed, ground: Ground) -> None:
        """In its log: bits, share and tokens."""
        promised = climbed.expectation.kv_tokens
        assert_no_fault(capacity_fault(climbed.cache, ground.geometry, climbed.rung.knobs, promised))

    def test_the_cache_holds_the_tokens(self, climbed: Climbed) -> None:
        """Long requests that fill 0.8 of it all answer at the same time; the metrics agree on the size within 10 %."""
        filled, promised = climbed.filled, climbed.expectation.kv_tokens
        assert filled.requests == filled.asked
        assert filled.tokens >= 0.95 * FILL_SHARE * promised
        assert filled.capacity is None or filled.capacity == pytest.approx(promised, rel=0.1)

    def test_load_takes_no_memory_of_its_own(self, climbed: Climbed) -> None:
        """Long prompts and many requests stay within the slack of the figure when ready."""
        assert climbed.peak_mib <= climbed.ready_mib + TOLERANCES["peak_slack"]
        assert climbed.peak_mib <= climbed.expectation.peak_limit_mib

    def test_two_hundred_requests_leak_nothing(self, climbed: Climbed) -> None:
        """Memory after them is what it was after the first twenty."""
        assert climbed.after_requests_mib <= climbed.settled_mib + LEAK_MIB

    def test_memory_comes_back(self, climbed: Climbed) -> None:
        """To the idle figure, after a stop; on one rung after SIGKILL."""
        release = climbed.release
        assert release.complete, f"{release.used_mib:.0f} MiB still in use after {release.seconds:.0f} s"


class TestAStartThatFails:
    """Late, with the weights on the GPU: the cause is named and the memory comes back."""

    def test_the_cause_is_named(self, failed_start: FailedStart) -> None:
        """The server's own words, and what to do."""
        assert "out of memory" in failed_start.error.lower(), failed_start.error or "the server started"
        assert "lower the share of memory for the KV cache" in failed_start.error

    def test_it_failed_with_the_weights_on_the_gpu(self, failed_start: FailedStart) -> None:
        """A start that fails earlier would show nothing about memory."""
        assert failed_start.peak_mib >= failed_start.idle_mib + failed_start.weights_mib

    def test_memory_comes_back(self, failed_start: FailedStart) -> None:
        """To the idle figure."""
        release = failed_start.release
        assert release.complete, f"{release.used_mib:.0f} MiB still in use after {release.seconds:.0f} s"


class TestTheLadder:
    """What each knob does, measured: the homework's directions, and the one it gets wrong."""

    def test_half_the_share_takes_half_the_cache(self, rungs: dict[str, Climbed]) -> None:
        """0.8 to 0.4 frees 0.4 of what is free beside the weights."""
        freed = rungs[DEFAULT.id].ready_mib - rungs[HALF_SHARE.id].ready_mib
        assert freed == pytest.approx(0.4 * rungs[DEFAULT.id].expectation.terms["free"], rel=0.05)

    @pytest.mark.parametrize("quantized_kv", [INT8_KV, INT4_KV], ids=["int8", "int4"])
    def test_quantizing_the_cache_saves_no_memory(self, rungs: dict[str, Climbed], quantized_kv: Rung) -> None:
        """The share is the share. The homework's 34 GB to 26 GB is the work of the share, not of int4."""
        assert rungs[quantized_kv.id].ready_mib == pytest.approx(rungs[HALF_SHARE.id].ready_mib, abs=SAME_MIB)

    @pytest.mark.parametrize(
        ("quantized_kv", "ratio"), [(INT8_KV, KV_RATIO_INT8), (INT4_KV, KV_RATIO_INT4)], ids=["int8", "int4"]
    )
    def test_quantizing_the_cache_buys_tokens(
        self, rungs: dict[str, Climbed], quantized_kv: Rung, ratio: float
    ) -> None:
        """By the log, and by what was held at the same time."""
        wide, narrow = rungs[HALF_SHARE.id], rungs[quantized_kv.id]
        assert narrow.cache.tokens >= ratio * wide.cache.tokens
        assert narrow.filled.tokens >= 0.95 * ratio * wide.filled.tokens

    def test_quantized_weights_take_less_and_leave_more_to_the_cache(self, rungs: dict[str, Climbed]) -> None:
        """W4A16 lowers the memory by 0.6 of what the weights lost: 0.4 of it goes to the cache."""
        heavy, light = rungs[INT4_KV.id], rungs[HOMEWORK.id]
        lost = heavy.expectation.weights_mib - light.expectation.weights_mib
        assert heavy.ready_mib - light.ready_mib == pytest.approx(0.6 * lost, abs=SAME_MIB)
        assert light.cache.tokens > heavy.cache.tokens


class TestBrokenPromises:
    """The measured servers, judged by promises that they do not keep."""

    def test_share_0_8_where_0_4_was_promised(self, rungs: dict[str, Climbed], ground: Ground) -> None:
        greedy = rungs[DEFAULT.id]
        promised = replace(greedy.rung.knobs, share=0.4)
        fault = ready_fault(rungs[HALF_SHARE.id].expectation, greedy.ready_mib)
        assert fault is not None
        assert fault.fields["taken"] == pytest.approx(0.8, abs=0.05)
        tokens = rungs[HALF_SHARE.id].expectation.kv_tokens
        told = capacity_fault(greedy.cache, ground.geometry, promised, tokens)
        assert greedy.cache.share is None or (told is not None and told.id == "kv.fault.share")

    def test_16_bit_cache_where_int4_was_promised(self, rungs: dict[str, Climbed], ground: Ground) -> None:
        wide = rungs[HALF_SHARE.id]
        promised = replace(wide.rung.knobs, quant_policy=4)
        tokens = kv_capacity_tokens(wide.expectation.kv_mib, ground.geometry, promised)
        fault = capacity_fault(wide.cache, ground.geometry, promised, tokens)
        assert fault is not None
        assert fault.id in ("kv.fault.bits", "kv.fault.tokens")
        assert wide.filled.tokens < 0.5 * tokens

    def test_a_second_process_is_noticed(self, rungs: dict[str, Climbed]) -> None:
        crowded = rungs[HOMEWORK.id]
        assert crowded.crowded_mib is not None
        assert crowded.crowded_mib >= crowded.after_requests_mib + 2048
        fault = ready_fault(crowded.expectation, crowded.crowded_mib)
        assert fault is not None
        assert fault.id == "vram.fault.above"
