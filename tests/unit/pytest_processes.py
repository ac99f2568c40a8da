"""A pytest of its own for a test: own folder, environment, session and output, exit code and pid."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.unit.waiting import ROOT

PLUGINS = (
    "pytest_metadata.plugin", "pytest_html.plugin", "pytest_timeout", "fixtures.session.collecting",
    "fixtures.run.settings", "fixtures.run.measurement", "fixtures.session.workers", "fixtures.session.environment",
    "fixtures.session.recording", "fixtures.report.plugin", "fixtures.session.selection",
)  # fmt: skip
"""What records and reports a run: one comes after those that it imports."""

TIMEOUT = 60.0
"""Seconds for any of these runs on a busy machine."""


def start(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start `python -m pytest ARGUMENTS` in the folder, with only named plugins; its output goes to files there.

    :param environment: the whole of it, but for what lets Python find the suite; None for this process's own.
    """
    given = dict(os.environ if environment is None else environment)
    given |= {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", *arguments]
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        return subprocess.Popen(command, cwd=folder, env=given, stdout=out, stderr=err, start_new_session=True)


def run(folder: Path, *arguments: str) -> pytest.RunResult:
    """Run the same to its end."""
    with start(folder, *arguments) as process:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(TIMEOUT)
        process.send_signal(signal.SIGABRT)  # one that has not ended tells where it is, by pytest's faulthandler
    out, err = ((folder / stream).read_text("utf-8", errors="replace") for stream in ("stdout", "stderr"))
    assert process.returncode != -signal.SIGABRT, f"not ended within {TIMEOUT} s:\n{out}\n{err}"
    return pytest.RunResult(process.returncode, out.splitlines(), err.splitlines(), 0.0)
