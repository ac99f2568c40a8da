"""Workers of pytest-xdist standing for GPUs: real servers, one for each, and one report."""

from __future__ import annotations

import pytest

from fixtures.evidence.events import Quantized, ServerLaunched, ServerStopped, TestFinished
from fixtures.homework import CLAIMS
from fixtures.report.summary import RunSummary
from fixtures.report.verification import verify
from tests.rehearsal.conftest import REHEARSED, run_suite

pytest.importorskip("xdist")


@pytest.fixture(scope="module")
def spread(tmp_path_factory: pytest.TempPathFactory) -> RunSummary:
    run = run_suite(tmp_path_factory.mktemp("spread"), *REHEARSED, "-m", "gpu or depth", "-n", "2")
    assert run.status == 0, run.output[-3000:]
    assert not verify(run.folder).problems
    return run.summary


def test_everything_was_decided(spread: RunSummary) -> None:
    assert spread.verdict.reasons == ()
    assert {claim.state for claim in spread.verdict.claims} == {"passed", "needs_gpu"}


def test_each_worker_had_a_server_of_its_own_and_stopped_it(spread: RunSummary) -> None:
    assert list(spread.workers) == ["gw0", "gw1"]
    urls = {event.url for seen in spread.workers.values() for event in seen.of(ServerLaunched)}
    assert len(urls) == 2
    assert [len(seen.of(ServerStopped)) for seen in spread.workers.values()] == [1, 1]


def test_checkpoint_was_quantized_once(spread: RunSummary) -> None:
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
