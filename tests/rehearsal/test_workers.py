"""Workers of pytest-xdist standing for GPUs: real servers, one for each, and one report."""

from pathlib import Path

import pytest

from fixtures.evidence.events import Quantized, ServerLaunched, ServerStopped, TestFinished
from fixtures.homework import CLAIMS
from fixtures.report.verification import verify
from tests.rehearsal.conftest import REHEARSED, run_suite

pytest.importorskip("xdist")


def test_each_worker_decides_a_part_with_a_server_of_its_own(tmp_path: Path) -> None:
    run = run_suite(tmp_path, *REHEARSED, "-m", "gpu or depth", "-n", "2")
    assert run.status == 0, run.output[-3000:]
    assert not verify(run.folder).problems
    summary, workers = run.summary, run.summary.workers
    assert summary.verdict.reasons == ()
    assert {claim.state for claim in summary.verdict.claims} == {"passed", "needs_gpu"}
    assert list(workers) == ["gw0", "gw1"]
    assert len({event.url for seen in workers.values() for event in seen.of(ServerLaunched)}) == 2
    assert [len(seen.of(ServerStopped)) for seen in workers.values()] == [1, 1]
    assert sorted(event.cached for event in summary.all(Quantized)) == [False, True], "one waits for the other"

    asked = {exchange.event.test for exchange in summary.exchanges}
    by_worker = [
        {entry.event.test for entry in seen.entries if hasattr(entry.event, "test")} & asked
        for seen in workers.values()
    ]
    assert all(by_worker)
    homework = {event.test for event in summary.all(TestFinished) if event.claim in CLAIMS} & asked
    assert [bool(tests & homework) for tests in by_worker].count(True) == 1
