"""Workers of pytest-xdist standing for GPUs: real servers, one for each, and one report."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

import pytest

from fixtures.evidence import read
from fixtures.evidence.events import Quantized, ServerLaunched, ServerStopped, TestFinished
from fixtures.homework import CLAIMS
from fixtures.report.summary import RunSummary, summarize
from fixtures.report.verification import verify
from tests.rehearsal.conftest import ROOT

pytest.importorskip("xdist")

RUN_TIMEOUT_S: Final = 900.0
"""Two minutes on an idle machine of two cores: two servers load at once, and the depth is asked for."""


@pytest.fixture(scope="module")
def spread(tmp_path_factory: pytest.TempPathFactory) -> RunSummary:
    folder = tmp_path_factory.mktemp("spread")
    command = [sys.executable, "-m", "pytest", "tests", "--rehearse", "--checkpoint=standin", "--calibration=local"]
    command += [f"--evidence-dir={folder / 'evidence'}", f"--work-dir={folder / 'work'}", "--report-pictures=off"]
    command += ["-m", "gpu or depth", "-n", "2", "-o", f"cache_dir={folder / 'cache'}", "--report-lang=en"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=RUN_TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (evidence,) = (folder / "evidence").iterdir()
    assert not verify(evidence).problems
    return summarize(read(evidence))


def test_everything_was_decided(spread: RunSummary) -> None:
    assert spread.verdict.reasons == ()
    assert {claim.state for claim in spread.verdict.claims} == {"passed", "needs_gpu"}


def test_each_worker_had_a_server_of_its_own_and_stopped_it(spread: RunSummary) -> None:
    assert list(spread.workers) == ["gw0", "gw1"]
    urls = {event.url for seen in spread.workers.values() for event in seen.of(ServerLaunched)}
    assert len(urls) == 2
    assert [len(seen.of(ServerStopped)) for seen in spread.workers.values()] == [1, 1]


def test_the_checkpoint_was_quantized_once(spread: RunSummary) -> None:
    assert sorted(event.cached for event in spread.all(Quantized)) == [False, True]


def test_both_decided_something_and_the_homework_was_one_workers(spread: RunSummary) -> None:
    asked = {exchange.event.test for exchange in spread.exchanges}
    by_worker = {
        name: {entry.event.test for entry in seen.entries if hasattr(entry.event, "test")} & asked
        for name, seen in spread.workers.items()
    }
    assert all(by_worker.values())
    homework = {event.test for event in spread.all(TestFinished) if event.claim in CLAIMS} & asked
    assert [bool(tests & homework) for tests in by_worker.values()].count(True) == 1
