"""A quantized stand-in and its rehearsal server, made once, and whole runs of the suite. Needs lmdeploy and no GPU."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from fixtures.evidence import read
from fixtures.lmdeploy.capabilities import Capabilities
from fixtures.lmdeploy.commands import ROOT
from fixtures.report.summary import RunSummary, summarize
from fixtures.report.verification import verify
from fixtures.server.api_server import RunningServer
from tests.contracts.conftest import Start, capabilities, on_the_cpu, quantized, standin, start

__all__ = ["capabilities", "on_the_cpu", "quantized", "standin", "start"]
"""Fixtures of the contract tests: the stand-in, quantized and served by the installed lmdeploy."""


REQUEST_TIMEOUT_S = 120
RUN_TIMEOUT_S = 900
"""For a whole run of the suite: one to two minutes on an idle machine of two cores."""

REHEARSED = ("--rehearse", "--checkpoint=standin", "--calibration=local")


@dataclass(frozen=True)
class Run:
    """A finished run of the suite, and the folder of its evidence."""

    status: int
    output: str
    folder: Path

    @cached_property
    def summary(self) -> RunSummary:
        """The run as its evidence tells it."""
        return summarize(read(self.folder))


def run_suite(folder: Path, *options: str, work: Path | None = None, root: Path = ROOT, **environment: str) -> Run:
    """Run the suite in a process of its own, with its evidence and caches below `folder`.

    :param work: the work directory, where several runs share one.
    :param root: of the suite, where it is a copy.
    """
    command = [sys.executable, "-m", "pytest", "tests", "--report-pictures=off", "--report-lang=en"]
    command += [f"--evidence-dir={folder / 'evidence'}", f"--work-dir={work or folder / 'work'}"]
    done = subprocess.run(
        [*command, "-o", f"cache_dir={folder / 'cache'}", *options],
        cwd=root,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=RUN_TIMEOUT_S,
        check=False,
    )
    output = done.stdout + done.stderr
    events = next((folder / "evidence").glob("*/events.jsonl"), None)
    assert events is not None, output[-3000:]
    assert not verify(events.parent).problems, "every run of the suite is honest, whatever it decides"
    return Run(done.returncode, output, events.parent)


def post(server: RunningServer, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """The JSON body of an answer, which must be a success."""
    import requests  # only where these tests run

    answer = requests.post(f"http://{server.host}:{server.port}{path}", json=body, timeout=REQUEST_TIMEOUT_S)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture(scope="session")
def server(start: Start, capabilities: Capabilities) -> Iterator[RunningServer]:
    """Four handles, so that sixteen requests must wait for one another and a lost handle is felt."""
    with start(capabilities, "--max-batch-size", "4", key="") as running:
        yield running
