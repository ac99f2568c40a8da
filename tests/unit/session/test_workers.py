"""Workers of pytest-xdist: a GPU for each, one run for all, and a clear no where that cannot be."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fixtures.evidence import read
from fixtures.evidence.events import ClaimsSelected, RunFinished, RunStarted, TestFinished
from fixtures.gpu import device as gpu_device
from fixtures.gpu import placement
from fixtures.report.verification import verify
from fixtures.run.settings import resolve
from fixtures.session.workers import prepare
from tests.unit.fake_nvml import FakeDevice, FakeNvml
from tests.unit.report.inner import Inner, claim_test, inner, set_environment, suite

__all__ = ["inner"]

pytest.importorskip("xdist")

BEYOND = ("chat.remembers", "chat.greedy_repeats", "tools.negative_operands", "tools.zero_operand")
SLOW = "time.sleep(0.3)"

CARDS = """
from fixtures.gpu import device as gpu_device
from tests.unit.fake_nvml import FakeDevice, FakeNvml

nvml = FakeNvml(*(FakeDevice(f"GPU-{{number}}") for number in range({number})))
gpu_device.nvml_session.__wrapped__.__defaults__ = (nvml,)
"""
"""A plugin that gives the run so many cards."""


def both(bodies: dict[str, str] | None = None) -> str:
    """The homework's claims, and some beyond them, which may go to any worker."""
    bodies = dict.fromkeys(BEYOND, SLOW) | (bodies or {})
    return suite(bodies) + "".join(claim_test(claim, bodies[claim]) for claim in BEYOND)


def cards(inner: Inner, number: int) -> list[str]:
    (inner.path / "some_cards.py").write_text(CARDS.format(number=number))
    return ["-p", "some_cards", "-p", "xdist.plugin"]


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> Inner:
    """A rehearsal by two workers that has ended well, and in which some tests tell where they ran."""
    tells = "open(os.environ['PYTEST_XDIST_WORKER'] + '.ran', 'a').write(os.environ['PYTEST_CURRENT_TEST'] + '\\n')"
    bodies = dict.fromkeys(BEYOND, f"{SLOW}; {tells}") | {"environment.recorded": tells, "tools.chain": tells}
    bodies |= dict.fromkeys(("vram.after_start", "vram.peak", "vram.released"), "pytest.skip('no GPU')")
    with pytest.MonkeyPatch.context() as monkeypatch:
        set_environment(monkeypatch, tmp_path_factory)
        inner = Inner(tmp_path_factory.mktemp("rehearsed"))
        inner.deploy("synthetic.events(rehearsal=True)")
        result = inner.run(both(bodies), "--rehearse", "-p", "xdist.plugin", "-n", "2", "--report-lang", "en")
    assert result.ret == 0
    return inner


def test_one_run_and_one_report_whoever_runs_the_tests(rehearsed: Inner) -> None:
    entries = read(rehearsed.folder)
    assert [type(entry.event) for entry in (entries[0], entries[-1])] == [RunStarted, RunFinished]
    assert {entry.worker for entry in entries} == {"", "gw0", "gw1"}
    assert sum(isinstance(entry.event, ClaimsSelected) for entry in entries) == 1
    tests = [entry.event for entry in entries if isinstance(entry.event, TestFinished)]
    assert len({event.test for event in tests}) == 15 + len(BEYOND)
    assert not [event.test for event in tests if "@" in event.test]
    assert rehearsed.verdict.outcome == "rehearsal"
    assert rehearsed.codes == []
    assert not verify(rehearsed.folder).problems


def test_the_homeworks_claims_stay_together_and_come_last(rehearsed: Inner) -> None:
    ran = {file.stem: file.read_text().splitlines() for file in rehearsed.path.glob("*.ran")}
    assert sorted(ran) == ["gw0", "gw1"]
    (whole,) = [lines for lines in ran.values() if any("environment" in line for line in lines)]
    assert ["environment" in whole[-2], "chain" in whole[-1]] == [True, True]
    assert not (rehearsed.folder / ".parts").exists()


def test_a_worker_that_dies_ends_the_run_and_accepts_nothing(inner: Inner) -> None:
    result = inner.run(both({BEYOND[0]: "os._exit(3)"}), "--rehearse", "-p", "xdist.plugin", "-n", "2")
    assert result.ret != 0
    result.stdout.fnmatch_lines(["*worker restarting disabled*"])
    assert "tests_missing" in inner.codes
    assert "crashed" in inner.page


def test_each_worker_sees_its_own_gpu(inner: Inner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,0")
    tells = "open(os.environ['PYTEST_XDIST_WORKER'] + '.gpu', 'w').write(os.environ['CUDA_VISIBLE_DEVICES'])"
    inner.run(both(dict.fromkeys(BEYOND, f"{SLOW}; {tells}")), *cards(inner, 2), "-n", "2")
    seen = {file.stem: file.read_text() for file in inner.path.glob("*.gpu")}
    assert seen == {"gw0": "GPU-1", "gw1": "GPU-0"}


def test_more_workers_than_gpus_are_refused_at_once_with_one_message(inner: Inner) -> None:
    result = inner.run(suite(), *cards(inner, 2), "-n", "3")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.stderr.str().count("ERROR:") == 1
    assert "-n 3 takes 3 GPUs, and 2 are visible" in result.stderr.str()
    assert "what to do: " in result.stderr.str()
    assert not (inner.path / "evidence").exists()


@pytest.mark.parametrize(
    ("workers", "options", "words"),
    [
        (2, {"tp": "2", "checkpoint": "standin"}, "-n 2 --tp 2 takes 4 GPUs, and 2 are visible"),
        (2, {"replicas": "2"}, "-n 2 --replicas 2 takes 4 GPUs, and 2 are visible"),
        (0, {"replicas": "3"}, "--replicas 3 takes 3 GPUs, and 2 are visible"),
        (0, {"tp": "4"}, "--tp 4 takes 4 GPUs, and 2 are visible"),
        (0, {"tp": "3", "checkpoint": "standin"}, "--tp 3 does not divide the model's 2 attention heads"),
        (0, {"tp": "4", "checkpoint": "standin", "rehearse": "1"}, "--tp 4 does not divide the model's 2 attention"),
        (2, {"server_port": "23333"}, "-n 2 does not go with --server-port"),
        (2, {"base_url": "http://127.0.0.1:1/v1"}, "-n 2 does not go with --base-url"),
        (2, {"vram_command": "studio-smi"}, "-n 2 does not go with --vram-command"),
        (2, {"profile": "strict"}, "-n 2 does not go with --profile strict"),
    ],
)
def test_what_else_cannot_be(
    workers: int, options: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = FakeNvml(FakeDevice("GPU-0"), FakeDevice("GPU-1"))
    monkeypatch.setattr(placement, "visible_now", lambda _: [device.uuid for device in gpu_device.visible(two, {})])
    config: Any = SimpleNamespace(stash=pytest.Stash(), option=SimpleNamespace(markexpr="gpu"))
    settings = resolve(options.get, lambda _: None, {}, Path("/"))
    with pytest.raises(pytest.UsageError, match=re.escape(words)):
        prepare(config, settings, workers)


@pytest.mark.parametrize("mark", ["quality", "control", "doors", "performance"])
def test_what_keeps_a_record_of_its_own_stays_in_one_process(mark: str) -> None:
    config: Any = SimpleNamespace(stash=pytest.Stash(), option=SimpleNamespace(markexpr=f"gpu or {mark}"))
    settings = resolve({"rehearse": "1"}.get, lambda _: None, {}, Path("/"))
    with pytest.raises(pytest.UsageError, match=f"does not go with -m {mark}"):
        prepare(config, settings, 2)


def test_auto_means_a_worker_for_each_gpu(inner: Inner) -> None:
    result = inner.run(suite(), *cards(inner, 3), "-n", "auto")
    result.stdout.fnmatch_lines(["*3/3 workers*"])
