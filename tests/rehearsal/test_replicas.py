"""Two CPU servers behind lmdeploy's own request distributor: accepted by the same tests, and a killed one is named.

The distributor, the servers and the run are real processes; only the engine computes on the CPU.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from fixtures.errors import said
from fixtures.evidence import read
from fixtures.evidence.seal import verify
from fixtures.report.summary import RunSummary, summarize
from fixtures.texts import Texts
from tests.rehearsal.conftest import ROOT

RUN_TIMEOUT_S: Final = 600.0
"""Two minutes on an idle machine of two cores, most of it imports of three servers at once."""

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
"""How often the distributor asks its servers whether they live; 90 s unless told."""


@dataclass(frozen=True)
class Run:
    """A finished run, as its evidence tells it."""

    status: int
    output: str
    folder: Path
    summary: RunSummary


def rehearse(folder: Path, work: Path, *options: str, **environment: str) -> Run:
    command = [sys.executable, "-m", "pytest", "tests", "--rehearse", "--checkpoint=standin", "--calibration=local"]
    command += [f"--evidence-dir={folder / 'evidence'}", f"--work-dir={work}", "--report-pictures=off"]
    command += ["--replicas=2", "-o", f"cache_dir={folder / 'cache'}", "--report-lang=en", *options]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True,
        timeout=RUN_TIMEOUT_S, check=False,
    )  # fmt: skip
    (evidence,) = (folder / "evidence").iterdir()
    return Run(done.returncode, done.stdout + done.stderr, evidence, summarize(read(evidence)))


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def whole(work: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return rehearse(tmp_path_factory.mktemp("whole"), work)


def test_the_homework_holds_behind_the_distributor(whole: Run) -> None:
    assert whole.status == 0, whole.output[-3000:]
    assert whole.summary.verdict.reasons == ()
    assert not verify(whole.folder).problems


def test_every_replica_was_launched_and_did_a_part(whole: Run) -> None:
    assert [(event.role, event.name) for event in whole.summary.replicas] == [
        ("proxy", "proxy"), ("api_server", "1/2"), ("api_server", "2/2"),
    ]  # fmt: skip
    figures = {event.name: event.value for event in whole.summary.measurements("replicas.share_the_work")}
    assert all(figures["answers of each replica"])
    assert whole.summary.measurements("replicas.each_answers")[0].value == 2


def test_the_key_is_asked_for_and_shown_nowhere(whole: Run) -> None:
    assert all(event.argv[-2:] == ["--api-keys", "KEY_OF_THIS_RUN"] for event in whole.summary.replicas)
    assert "sk-" not in (whole.folder / "events.jsonl").read_text(encoding="ascii")


def killed(work: Path, folder: Path, **environment: str) -> Run:
    (folder / "kills_a_replica.py").write_text(KILL)
    return rehearse(folder, work, "-p", "kills_a_replica", PYTHONPATH=str(folder), **environment)


def test_a_killed_replica_is_named_and_nothing_is_accepted(work: Path, tmp_path: Path) -> None:
    run = killed(work, tmp_path, AFTER_THE_KILL_S="0")
    assert run.status == pytest.ExitCode.TESTS_FAILED, run.output[-3000:]
    ended = [reason.detail for reason in run.summary.verdict.reasons if reason.code == "server_ended"]
    assert len(ended) == 1
    assert said(ended[0], Texts("en")).startswith("2/2: was killed by SIGKILL")
    assert "api_server 2/2 (127.0.0.1:" in run.output
    lost = [exchange.event.error for exchange in run.summary.exchanges if exchange.event.error]
    assert lost
    assert all(error.startswith("ProxyError: ") for error in lost)


def test_the_distributor_goes_on_without_it_and_still_nothing_is_accepted(work: Path, tmp_path: Path) -> None:
    """Once it has noticed, no request is lost; but two servers were promised."""
    run = killed(work, tmp_path, AFTER_THE_KILL_S=str(3 * HEARTBEAT_S), **{HEARTBEAT: str(HEARTBEAT_S)})
    assert run.status == pytest.ExitCode.TESTS_FAILED, run.output[-3000:]
    claims = {found.claim.id: found.state for found in run.summary.verdict.claims}
    assert {claims["tools.add"], claims["tools.multiply"], claims["tools.chain"]} == {"passed"}
    codes = {reason.code for reason in run.summary.verdict.reasons}
    assert "server_ended" in codes
    assert "claim_failed" not in codes
