"""Workers of pytest-xdist: a GPU for each, one run for all, and a clear no where that cannot be."""

import multiprocessing
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fixtures.errors import AcceptanceError
from fixtures.evidence import read
from fixtures.evidence.events import ClaimsSelected, RunFinished, RunStarted, TestFinished
from fixtures.evidence.seal import broken
from fixtures.gpu import device as gpu_device
from fixtures.gpu import placement
from fixtures.run.settings import resolve
from fixtures.session.parts import Parts
from fixtures.session.workers import prepare
from fixtures.suites import suites
from tests.unit.fake_nvml import FakeDevice, FakeNvml
from tests.unit.small_suite import SmallSuite, claim_test, suite

pytest.importorskip("xdist")

BEYOND = ("chat.one", "chat.two", "chat.three", "chat.four")
TOGETHER = ("chat.low", "chat.high")
XDIST = ("-p", "xdist.plugin", "-n")
TELLS = (
    "worker = os.environ['PYTEST_XDIST_WORKER'] + '-' + os.environ['CUDA_VISIBLE_DEVICES']; "
    "open(worker + '.ran', 'a').write(os.environ['PYTEST_CURRENT_TEST'] + '\\n')"
)

CARDS = """
from fixtures.gpu import device as gpu_device
from tests.unit.fake_nvml import FakeDevice, FakeNvml

nvml = FakeNvml(*(FakeDevice(f"GPU-{{number}}") for number in range({number})))
gpu_device.nvml_session.__wrapped__.__defaults__ = (nvml,)
"""
"""A plugin that gives the run so many cards."""


def both(bodies: dict[str, str]) -> str:
    """Write tests of the homework's claims, of some beyond them for any worker, and of two that stay together."""
    found = [suite(bodies)]
    for id_ in (*BEYOND, *TOGETHER):
        test = claim_test(id_, bodies.get(id_, "time.sleep(0.3)"), f"Claim({id_!r}, 'chat', beyond=True)")
        found.append(f'\n@pytest.mark.together("rung"){test}' if id_ in TOGETHER else test)
    return "".join(found)


def cards(inner: SmallSuite, number: int) -> tuple[str, ...]:
    (inner.path / "some_cards.py").write_text(CARDS.format(number=number))
    return ("-p", "some_cards", *XDIST)


def test_workers_leave_one_run_and_keep_together_what_belongs_together(
    small_suite: SmallSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,0")
    bodies = dict.fromkeys(BEYOND, f"time.sleep(0.3); {TELLS}")
    bodies |= dict.fromkeys((*TOGETHER, "environment.recorded", "tools.chain"), TELLS)
    result = small_suite.run(both(bodies), *cards(small_suite, 2), "auto")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*2/2 workers*"])
    entries = read(small_suite.folder)
    assert [type(entry.event) for entry in (entries[0], entries[-1])] == [RunStarted, RunFinished]
    assert {entry.worker for entry in entries} == {"", "gw0", "gw1"}
    assert sum(isinstance(entry.event, ClaimsSelected) for entry in entries) == 1
    assert len({entry.event.test for entry in entries if isinstance(entry.event, TestFinished)}) == 15 + len(BEYOND) + 2
    assert small_suite.verdict.accepted, small_suite.codes
    assert not broken(small_suite.folder)
    assert not (small_suite.folder / ".parts").exists()

    ran = {file.stem: file.read_text() for file in small_suite.path.glob("*.ran")}
    assert sorted(ran) == ["gw0-GPU-1", "gw1-GPU-0"], "each sees its own"
    (homework,) = [lines.splitlines() for lines in ran.values() if "environment" in lines]
    assert ["environment" in homework[-2], "chain" in homework[-1]] == [True, True], "the homework's come last"
    assert sorted(("low" in lines, "high" in lines) for lines in ran.values()) == [(False, False), (True, True)]


def test_worker_that_dies_ends_the_run_and_accepts_nothing(small_suite: SmallSuite) -> None:
    result = small_suite.run(both({BEYOND[0]: "os._exit(3)"}), "--rehearse", *XDIST, "2")
    assert result.ret != 0
    result.stdout.fnmatch_lines(["*worker restarting disabled*"])
    assert "tests_missing" in small_suite.codes


def test_more_workers_than_gpus_are_refused_at_once_with_one_message(small_suite: SmallSuite) -> None:
    result = small_suite.run(suite(), *cards(small_suite, 2), "3")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.stderr.str().count("ERROR:") == 1
    assert not (small_suite.path / "evidence").exists()


ALONE = next(suite.mark for suite in suites().values() if not suite.shared)


@pytest.mark.parametrize(
    ("workers", "options", "words"),
    [
        (2, {"tp": "2", "checkpoint": "standin"}, "-n 2 --tp 2"),
        (2, {"replicas": "2"}, "-n 2 --replicas 2"),
        (0, {"replicas": "3"}, "--replicas 3"),
        (0, {"tp": "4"}, "--tp 4"),
        (0, {"tp": "3", "checkpoint": "standin"}, "--tp 3"),
        (2, {"server_port": "23333"}, "-n 2 does not go with --server-port"),
        (2, {"base_url": "http://127.0.0.1:1/v1"}, "-n 2 does not go with --base-url"),
        (2, {"vram_command": "studio-smi"}, "-n 2 does not go with --vram-command"),
        (2, {"profile": "strict"}, "-n 2 does not go with --profile strict"),
        (2, {"rehearse": "1"}, f"does not go with -m {ALONE}"),
    ],
)
def test_options_that_workers_cannot_share_are_refused(
    workers: int, options: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = FakeNvml(FakeDevice("GPU-0"), FakeDevice("GPU-1"))
    monkeypatch.setattr(placement, "visible_now", lambda _: [device.uuid for device in gpu_device.visible(two, {})])
    marked = f"gpu or {ALONE}" if ALONE in words else "gpu"
    config: Any = SimpleNamespace(stash=pytest.Stash(), option=SimpleNamespace(markexpr=marked))
    with pytest.raises(AcceptanceError, match=re.escape(words)):
        prepare(config, resolve(options.get, lambda _: None, {}, Path("/")), workers)


def test_part_is_found_by_whoever_knows_the_run(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    parts.put("rung", {"mib": 1.5})
    assert (Parts(tmp_path).get("rung"), Parts(tmp_path).get("another")) == ({"mib": 1.5}, None)
    parts.remove()
    assert list(tmp_path.iterdir()) == []


def put(folder: Path) -> None:
    for number in range(100):
        Parts(folder).put("environment", list(range(number)))


def test_workers_may_put_the_same_part_at_once(tmp_path: Path) -> None:
    """It becomes visible only whole."""
    workers = [multiprocessing.get_context("fork").Process(target=put, args=(tmp_path,)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert Parts(tmp_path).get("environment") == list(range(99))
