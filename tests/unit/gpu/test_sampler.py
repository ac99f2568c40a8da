"""The sampler logs what it sees, answers about it, and is not believed once a reading has failed."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import Mock

import pynvml
import pytest

from fixtures.errors import GpuError
from fixtures.evidence import Evidence, read
from fixtures.evidence.events import PhaseMarked, VramSampled
from fixtures.gpu.device import Device, select
from fixtures.gpu.probe import NvmlProbe
from fixtures.gpu.sampler import Sampler, wait_released
from tests.unit.fake_nvml import FakeDevice, FakeNvml, error
from tests.unit.waiting import eventually


@pytest.fixture
def evidence(tmp_path: Path) -> Iterator[Evidence]:
    opened = Evidence(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def device() -> FakeDevice:
    return FakeDevice("GPU-1", used=100)


@pytest.fixture
def probe(device: FakeDevice) -> NvmlProbe:
    fake = FakeNvml(device)
    opened = NvmlProbe(fake, select(fake, {}))
    opened.interval_s = 0.01
    return opened


def take(sampler: Sampler, count: int) -> None:
    """Wait for so many more samples."""
    wanted = len(sampler.samples()) + count
    eventually(lambda: len(sampler.samples()) >= wanted)


def refuses(query: Callable[[], object]) -> bool:
    try:
        query()
    except GpuError:
        return True
    return False


def test_phases_have_their_first_sample_and_their_peak(
    probe: NvmlProbe, device: FakeDevice, evidence: Evidence
) -> None:
    with Sampler(probe, evidence) as sampler:
        for phase, used in (("idle", 100), ("ready", 34735), ("under load", 35000), ("stopped", 100)):
            device.used = used
            sampler.mark(phase)
            if phase == "under load":
                device.used = 36000
                take(sampler, 3)
        assert [sampler.phase_mib(phase) for phase in ("idle", "ready", "under load")] == [100, 34735, 35000]
        assert sampler.peak_mib() == sampler.peak_mib(since_phase="ready") == 36000
        assert sampler.peak_mib(since_phase="ready", before_phase="under load") == 34735
        assert sampler.peak_mib(before_phase="never marked") == 36000
        sampler.mark("under load")  # others begin after it what began then
        assert sampler.peak_mib(since_phase="ready", before_phase="under load") == 34735
        assert sampler.peak_mib(since_phase="stopped") == sampler.last_mib() == 100
        with pytest.raises(LookupError, match="no phase 'loaded' was marked"):
            sampler.phase_mib("loaded")
    sampler.mark("late")
    with pytest.raises(LookupError, match="after sampling had stopped"):
        sampler.phase_mib("late")


def test_phase_begins_with_a_reading_taken_after_the_mark(
    probe: NvmlProbe, device: FakeDevice, evidence: Evidence
) -> None:
    """A reading under way when the phase is marked still belongs to the phase before."""
    under_way, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        under_way.set()
        go_on.wait(5)

    with Sampler(probe, evidence) as sampler:
        device.on_query = slow
        assert under_way.wait(5)
        marking = threading.Thread(target=sampler.mark, args=("ready",))
        marking.start()
        time.sleep(0.02)
        device.on_query = lambda: setattr(device, "used", 500)
        go_on.set()
        marking.join(5)
        assert sampler.phase_mib("ready") == 500


def test_everything_is_in_the_log_in_order(
    probe: NvmlProbe, evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fixtures.gpu.sampler.BATCH_S", 3600)
    with Sampler(probe, evidence) as sampler:
        take(sampler, 10)
        sampler.mark("ready")
        take(sampler, 3)
        taken = sampler.samples()
    before, mark, after = (entry.event for entry in read(evidence.folder))
    assert isinstance(before, VramSampled)
    assert mark == PhaseMarked("ready")
    assert isinstance(after, VramSampled)
    logged = before.samples + after.samples
    assert logged[: len(taken)] == [[sample.t, sample.mib] for sample in taken]


def test_killed_run_has_all_but_the_last_batch_in_its_log(
    probe: NvmlProbe, evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fixtures.gpu.sampler.BATCH_S", 0.05)
    with Sampler(probe, evidence):
        eventually(lambda: read(evidence.folder))


@pytest.mark.parametrize(
    ("fails", "cause", "told"),
    [
        ("used_mib", error(pynvml.NVML_ERROR_GPU_IS_LOST), "GpuIsLost"),
        ("used_mib", RuntimeError("surprise"), "surprise"),
        ("used_mib", float("nan"), "nan"),
        pytest.param("append", OSError(28, "No space left on device"), "No space left", id="log-cannot-be-written"),
    ],
)
def test_no_figure_is_given_after_a_failed_reading(
    probe: NvmlProbe, evidence: Evidence, monkeypatch: pytest.MonkeyPatch, fails: str, cause: object, told: str
) -> None:
    """Nor where the log cannot be written: the report could not show what the thread saw."""
    monkeypatch.setattr("fixtures.gpu.sampler.BATCH_S", 0.05)
    with Sampler(probe, evidence) as sampler:
        sampler.mark("ready")
        with monkeypatch.context() as broken:
            broken.setattr(probe if fails == "used_mib" else evidence, fails, Mock(side_effect=[cause]))
            eventually(lambda: refuses(sampler.last_mib))
        sampler.mark("stopped")  # the device is back: too late
    for query in (
        sampler.last_mib,
        sampler.peak_mib,
        lambda: sampler.phase_mib("ready"),
        lambda: wait_released(sampler.last_mib, 100),
    ):
        with pytest.raises(GpuError, match=rf"no figure of this run can be trusted: .*{told}"):
            query()
    logged = [entry.event for entry in read(evidence.folder)]
    assert any(isinstance(event, VramSampled) for event in logged), "what was seen before is kept"


def test_hung_driver_hangs_neither_queries_nor_marks_nor_the_stop(
    probe: NvmlProbe, device: FakeDevice, evidence: Evidence
) -> None:
    go_on = threading.Event()
    with Sampler(probe, evidence, stale_s=0.2) as sampler:
        device.on_query = lambda: go_on.wait(30)  # type: ignore[assignment, return-value]
        started = time.monotonic()
        for number in range(40):  # it is waited for once, and not at every mark
            sampler.mark(f"test {number}")
    assert time.monotonic() - started < 40 * 0.2 / 2
    with pytest.raises(GpuError, match="has not answered for"):
        sampler.peak_mib()
    go_on.set()


def test_release_is_waited_for_and_reported_with_its_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter([30000.0, 20000.0, 130.0])
    release = wait_released(lambda: next(readings), baseline_mib=100)
    assert (release.complete, release.used_mib) == (True, 130)
    assert 0.2 <= release.seconds < 8
    monkeypatch.setattr("fixtures.gpu.sampler.RELEASE_DEADLINE_S", 0.3)
    kept = wait_released(lambda: 2148.0, baseline_mib=100)
    assert (kept.complete, kept.used_mib, kept.limit_mib) == (False, 2148, 164)
    assert 0.3 <= kept.seconds < 8


def test_cards_beside_one_another_share_their_phases(evidence: Evidence) -> None:
    devices = [FakeDevice("GPU-0", used=100), FakeDevice("GPU-1", used=200)]
    nvml = FakeNvml(*devices)
    probes = [NvmlProbe(nvml, Device(device, device.uuid, device.name)) for device in devices]
    with Sampler(probes[1], evidence, gpu=1) as second, Sampler(probes[0], evidence, beside=[second]) as first:
        first.mark("idle")
        devices[1].used = 900
        first.mark("ready")
        assert [card.phase_mib("idle") for card in first.cards] == [100, 200]
        assert [card.phase_mib("ready") for card in first.cards] == [100, 900]
    entries = read(evidence.folder)
    assert [entry.event.phase for entry in entries if isinstance(entry.event, PhaseMarked)] == ["idle", "ready"]
    assert {entry.event.gpu for entry in entries if isinstance(entry.event, VramSampled)} == {0, 1}
