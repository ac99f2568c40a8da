"""The sampler logs what it sees, answers about it, and is not believed once a reading has failed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pynvml
import pytest

from fixtures import evidence as log
from fixtures.errors import GpuError
from fixtures.evidence import Evidence, read
from fixtures.evidence.events import PhaseMarked, VramSampled
from fixtures.gpu.device import Device, select
from fixtures.gpu.probe import NvmlProbe
from fixtures.gpu.sampler import Sampler, wait_released
from tests.unit.fake_nvml import FakeDevice, FakeNvml, error


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


def fail_with(device: FakeDevice, cause: Exception) -> None:
    def fail() -> None:
        raise cause

    device.on_query = fail


def take(sampler: Sampler, count: int) -> None:
    """Wait for so many more samples."""
    wanted = len(sampler.samples()) + count
    deadline = time.monotonic() + 5
    while len(sampler.samples()) < wanted:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def until(condition: object, seconds: float = 5.0) -> None:
    """Wait until a query of the sampler raises GpuError."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            condition()  # type: ignore[operator]
        except GpuError:
            return
        time.sleep(0.005)


def test_answers_by_phase(probe: NvmlProbe, device: FakeDevice, evidence: Evidence) -> None:
    with Sampler(probe, evidence) as sampler:
        sampler.mark("idle")
        for phase, used in (("loading", 2000), ("ready", 34735), ("under load", 35000), ("stopped", 100)):
            device.used = used
            sampler.mark(phase)
        assert sampler.phase_mib("idle") == 100
        assert sampler.phase_mib("ready") == 34735
        assert sampler.peak_mib() == 35000
        assert sampler.peak_mib(since_phase="ready") == 35000
        assert sampler.peak_mib(since_phase="stopped") == 100
        assert sampler.last_mib() == 100


def test_a_phase_begins_with_a_reading_taken_after_the_mark(
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


def test_samples_between_marks_make_the_peak(probe: NvmlProbe, device: FakeDevice, evidence: Evidence) -> None:
    with Sampler(probe, evidence) as sampler:
        sampler.mark("ready")
        device.used = 900
        take(sampler, 3)
        device.used = 100
        sampler.mark("stopped")
        assert sampler.peak_mib(since_phase="ready") == 900


def test_everything_is_in_the_log_in_order(
    probe: NvmlProbe, evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fixtures.gpu.sampler.BATCH_S", 3600)
    with Sampler(probe, evidence) as sampler:
        take(sampler, 10)
        assert log.read(evidence.folder) == [], "samples are logged in batches"
        sampler.mark("ready")
        take(sampler, 3)
        taken = sampler.samples()
    entries = log.read(evidence.folder)
    before, mark, after = (entry.event for entry in entries)
    assert isinstance(before, VramSampled)
    assert mark == PhaseMarked("ready")
    assert isinstance(after, VramSampled)
    logged = before.samples + after.samples
    assert logged[: len(taken)] == [[round(sample.t, 3), sample.mib] for sample in taken]
    assert [t for t, _ in logged] == sorted(t for t, _ in logged)
    # One reading may have been under way when the phase was marked.
    assert sum(t < entries[1].t for t, _ in after.samples) <= 1


def test_a_batch_is_logged_when_its_time_has_come(
    probe: NvmlProbe, evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed run has all but the last second in its log."""
    monkeypatch.setattr("fixtures.gpu.sampler.BATCH_S", 0.05)
    with Sampler(probe, evidence):
        deadline = time.monotonic() + 5
        while not log.read(evidence.folder):
            assert time.monotonic() < deadline
            time.sleep(0.01)


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (error(pynvml.NVML_ERROR_GPU_IS_LOST), "GPU is lost"),
        (error(pynvml.NVML_ERROR_NOT_SUPPORTED), "Not Supported"),
        (RuntimeError("surprise"), "surprise"),
    ],
)
def test_after_a_failed_reading_no_figure_is_given(
    probe: NvmlProbe, device: FakeDevice, evidence: Evidence, cause: Exception, words: str
) -> None:
    with Sampler(probe, evidence) as sampler:
        sampler.mark("ready")
        assert sampler.phase_mib("ready") == 100
        fail_with(device, cause)
        until(sampler.last_mib)
        device.on_query = lambda: None  # the device is back: too late
        sampler.mark("stopped")
        for query in (
            sampler.last_mib,
            sampler.peak_mib,
            sampler.samples,
            lambda: sampler.phase_mib("ready"),
            lambda: sampler.peak_mib(since_phase="ready"),
            lambda: wait_released(sampler.last_mib, 100, 50, 1),
        ):
            with pytest.raises(GpuError, match=f"no figure of this run can be trusted(.|\n)*{words}"):
                query()
    with pytest.raises(GpuError, match=words):
        sampler.peak_mib()
    logged = [entry.event for entry in log.read(evidence.folder)]
    assert any(isinstance(event, VramSampled) for event in logged), "what was seen before is kept"


def test_a_reading_that_is_no_number_is_a_failure(probe: NvmlProbe, evidence: Evidence) -> None:
    probe.used_mib = lambda: float("nan")  # type: ignore[method-assign]
    with Sampler(probe, evidence) as sampler, pytest.raises(GpuError, match="not available: nan"):
        sampler.last_mib()


@pytest.mark.parametrize("asked_before_the_stop", [True, False])
def test_a_hung_driver_hangs_neither_queries_nor_the_stop(
    probe: NvmlProbe, device: FakeDevice, evidence: Evidence, asked_before_the_stop: bool
) -> None:
    go_on = threading.Event()
    sampler = Sampler(probe, evidence, stale_s=0.2)
    sampler.start()
    device.on_query = lambda: go_on.wait(10)  # type: ignore[assignment, return-value]
    started = time.monotonic()
    sampler.mark("ready")
    if asked_before_the_stop:
        time.sleep(0.05)
        with pytest.raises(GpuError, match="has not answered for"):
            sampler.last_mib()
    sampler.stop()
    assert time.monotonic() - started < 8
    with pytest.raises(GpuError, match="has not answered for"):
        sampler.peak_mib()
    go_on.set()


def test_a_hung_driver_is_waited_for_once_and_not_at_every_mark(
    probe: NvmlProbe, device: FakeDevice, evidence: Evidence
) -> None:
    go_on = threading.Event()
    sampler = Sampler(probe, evidence, stale_s=0.2)
    sampler.start()
    device.on_query = lambda: go_on.wait(30)  # type: ignore[assignment, return-value]
    started = time.monotonic()
    for number in range(40):
        sampler.mark(f"test {number}")
    sampler.stop()
    assert time.monotonic() - started < 40 * 0.2 / 2
    go_on.set()


def test_a_sampler_that_cannot_log_is_not_believed(
    probe: NvmlProbe, evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk: the thread must not go on as if the report could show what it saw."""

    def full(_event: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fixtures.gpu.sampler.BATCH_S", 0.05)
    sampler = Sampler(probe, evidence)
    sampler.start()
    evidence.append = full  # type: ignore[method-assign]
    until(sampler.last_mib)
    with pytest.raises(GpuError, match="No space left"):
        sampler.last_mib()
    del evidence.append  # type: ignore[attr-defined]
    sampler.stop()


def test_questions_that_make_no_sense_are_lookup_errors(probe: NvmlProbe, evidence: Evidence) -> None:
    sampler = Sampler(probe, evidence)
    with pytest.raises(LookupError, match="not started"):
        sampler.last_mib()
    with sampler:
        sampler.mark("idle")
        with pytest.raises(LookupError, match="no phase 'ready' was marked, only: idle"):
            sampler.phase_mib("ready")
    sampler.mark("late")
    with pytest.raises(LookupError, match="after sampling had stopped"):
        sampler.phase_mib("late")


def test_sampling_at_10_hz_takes_less_than_a_hundredth_of_a_core(probe: NvmlProbe, evidence: Evidence) -> None:
    """Measured at 100 Hz, so that it takes a tenth of the time; the other thread of the process only waits."""
    with Sampler(probe, evidence) as sampler:
        before, taken_before = time.process_time(), len(sampler.samples())
        take(sampler, 25)
        spent, taken = time.process_time() - before, len(sampler.samples()) - taken_before
    assert spent / taken * 10 < 0.01


def test_waits_for_memory_to_come_back() -> None:
    readings = iter([30000.0, 20000.0, 130.0])
    release = wait_released(lambda: next(readings), baseline_mib=100, slack_mib=50, deadline_s=5)
    assert release.complete
    assert release.used_mib == 130
    assert 0.2 <= release.seconds < 8


def test_memory_that_does_not_come_back_is_reported_with_its_figure() -> None:
    release = wait_released(lambda: 2148.0, baseline_mib=100, slack_mib=50, deadline_s=0.3)
    assert not release.complete
    assert (release.used_mib, release.limit_mib) == (2148, 150)
    assert 0.3 <= release.seconds < 8


def test_the_peak_of_a_part_of_the_run(probe: NvmlProbe, device: FakeDevice, evidence: Evidence) -> None:
    with Sampler(probe, evidence) as sampler:
        sampler.mark("loading")
        for phase, used in (("ready", 300), ("control", 900)):
            device.used = used
            sampler.mark(phase)
            take(sampler, 2)
        assert sampler.peak_mib(since_phase="loading", before_phase="control") == 300
        assert sampler.peak_mib(since_phase="loading", before_phase="never marked") == 900


def test_cards_beside_one_another_share_their_phases(evidence: Evidence) -> None:
    devices = [FakeDevice("GPU-0", used=100), FakeDevice("GPU-1", used=200)]
    nvml = FakeNvml(*devices)
    probes = [NvmlProbe(nvml, Device(device, device, device.uuid, device.name)) for device in devices]
    with Sampler(probes[1], evidence, gpu=1) as second, Sampler(probes[0], evidence, beside=[second]) as first:
        first.mark("idle")
        devices[1].used = 900
        first.mark("ready")
        assert [card.phase_mib("idle") for card in first.cards] == [100, 200]
        assert [card.phase_mib("ready") for card in first.cards] == [100, 900]
    entries = read(evidence.folder)
    assert [entry.event.phase for entry in entries if isinstance(entry.event, PhaseMarked)] == ["idle", "ready"]
    logged = {entry.event.gpu for entry in entries if isinstance(entry.event, VramSampled)}
    assert logged == {0, 1}
