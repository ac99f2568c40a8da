"""Two CPU servers behind lmdeploy's own request distributor: accepted by the same tests, and a killed one is named.

The distributor, the servers and the run are real processes; only the engine computes on the CPU.
"""

from pathlib import Path
from typing import Final

import pytest

from fixtures.client.client import PROXY_ERROR
from fixtures.report.verification import verify
from tests.rehearsal.conftest import REHEARSED, Run, run_suite

KILL: Final = """
import os, signal, time
import psutil

def pytest_runtest_setup(item):
    from fixtures.server.deployment import DEPLOYMENT

    deployment = item.config.stash.get(DEPLOYMENT, None)
    if deployment is None or item.name != "test_the_model_calls_add":
        return
    port = deployment.server.replicas[1].port
    for connection in psutil.net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
            os.kill(connection.pid, signal.SIGKILL)
    time.sleep(float(os.environ["AFTER_THE_KILL_S"]))
"""
"""A plugin that kills the second replica when the first function call is about to be asked for."""

HEARTBEAT: Final = "LMDEPLOY_CONTROLLER_HEART_BEAT_EXPIRATION"
HEARTBEAT_S: Final = 3
"""Seconds between two questions of the distributor whether its servers live; 90 unless told."""


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


def test_homework_passes_behind_the_distributor(work: Path, tmp_path: Path) -> None:
    """Every replica was launched and did a part; the key was asked for and is shown nowhere."""
    run = run_suite(tmp_path, *REHEARSED, "--replicas=2", work=work)
    assert run.status == 0, run.output[-3000:]
    assert run.summary.verdict.reasons == ()
    assert not verify(run.folder).problems
    assert [(event.role, event.name) for event in run.summary.replicas] == [
        ("proxy", "proxy"), ("api_server", "1/2"), ("api_server", "2/2"),
    ]  # fmt: skip
    (answers,) = run.summary.measurements("replicas.share_the_work")
    assert all(answers.value)
    assert run.summary.measurements("replicas.each_answers")[0].value == 2
    assert all(event.argv[-2:] == ["--api-keys", "KEY_OF_THIS_RUN"] for event in run.summary.replicas)
    assert "sk-" not in (run.folder / "events.jsonl").read_text(encoding="ascii")


def killed(work: Path, folder: Path, **environment: str) -> Run:
    (folder / "kills_a_replica.py").write_text(KILL)
    options = (*REHEARSED, "--replicas=2", "-p", "kills_a_replica")
    return run_suite(folder, *options, work=work, PYTHONPATH=str(folder), **environment)


def test_killed_replica_is_named_and_nothing_is_accepted(work: Path, tmp_path: Path) -> None:
    run = killed(work, tmp_path, AFTER_THE_KILL_S="0")
    assert run.status == pytest.ExitCode.TESTS_FAILED, run.output[-3000:]
    ended = [reason.detail for reason in run.summary.verdict.reasons if reason.code == "server_ended"]
    assert len(ended) == 1
    assert "SIGKILL" in str(ended[0])
    assert "2/2" in run.output
    lost = [exchange.event.error for exchange in run.summary.exchanges if exchange.event.error]
    assert lost
    assert all(error["id"] == PROXY_ERROR for error in lost)


def test_distributor_goes_on_without_it_and_still_nothing_is_accepted(work: Path, tmp_path: Path) -> None:
    """Once it has noticed, no request is lost; but two servers were promised."""
    run = killed(work, tmp_path, AFTER_THE_KILL_S=str(3 * HEARTBEAT_S), **{HEARTBEAT: str(HEARTBEAT_S)})
    assert run.status == pytest.ExitCode.TESTS_FAILED, run.output[-3000:]
    claims = {found.claim.id: found.state for found in run.summary.verdict.claims}
    assert {claims["tools.add"], claims["tools.multiply"], claims["tools.chain"]} == {"passed"}
    codes = {reason.code for reason in run.summary.verdict.reasons}
    assert "server_ended" in codes
    assert "claim_failed" not in codes
