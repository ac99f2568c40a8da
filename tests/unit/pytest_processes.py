"""A pytest of its own for a test: a real process, forked from one that has imported what all of them need.

To import pytest and the suite takes half a second of a processor, and to fork next to nothing. The child has its own
folder, environment, session and output, its own exit code, and a pid that signals can be sent to.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from types import ModuleType

import pytest

from tests.unit.waiting import ROOT

PLUGINS = (
    "pytest_metadata.plugin", "pytest_html.plugin", "pytest_timeout", "fixtures.session.collecting",
    "fixtures.run.settings", "fixtures.run.measurement", "fixtures.session.workers", "fixtures.session.environment",
    "fixtures.session.recording", "fixtures.report.plugin", "fixtures.session.selection",
)  # fmt: skip
"""What is imported already: one comes after those that it imports."""

SOME = ("fixtures.session.interrupts", "fixtures.session.refusals", "xdist.plugin", "xprocess.pytest_xprocess")
"""What single tests load besides."""

LATE = ("fixtures.report.page", "fixtures.report.console", "fixtures.report.post", "fixtures.evidence.seal")
"""What a run imports at its end."""

TIMEOUT = 60.0
"""Seconds for any of these runs on a busy machine."""


class PytestProcess:
    """A pytest that runs; as much of `subprocess.Popen` as is needed of it."""

    def __init__(self, process: ForkServerProcess, folder: Path) -> None:
        self._process = process
        self._folder = folder

    def send_signal(self, number: int) -> None:
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def wait(self, timeout: float = TIMEOUT) -> int:
        """Return its exit code; minus the number of the signal that killed it."""
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            self.send_signal(signal.SIGABRT)  # pytest's faulthandler tells where it was
            self._process.join(1)
        assert code is not None, f"not ended within {timeout} s:\n{self.said('stdout')}\n{self.said('stderr')}"
        return code

    def kill(self) -> None:
        """End it, however far it is; nothing happens where it has ended."""
        self._process.kill()
        self._process.join()

    def said(self, stream: str) -> str:
        """Return what it wrote to `stdout` or `stderr`."""
        return (self._folder / stream).read_text(encoding="utf-8", errors="replace")


def start(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> PytestProcess:
    """Start `python -m pytest ARGUMENTS` in the folder. Only named plugins are loaded.

    :param environment: the whole of it; None for this process's own.
    """
    given = dict(os.environ if environment is None else environment)
    process = _context().Process(target=_run, args=(str(folder), arguments, given))
    with pytest.MonkeyPatch.context() as patched:
        # multiprocessing would have the child run whatever program runs this pytest, for its functions.
        patched.setitem(sys.modules, "__main__", ModuleType("__main__"))
        process.start()
    return PytestProcess(process, folder)


def run(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> pytest.RunResult:
    """Run the same to its end."""
    process = start(folder, *arguments, environment=environment)
    try:
        code = process.wait()
    finally:
        process.kill()
    return pytest.RunResult(code, process.said("stdout").splitlines(), process.said("stderr").splitlines(), 0.0)


@functools.cache
def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.unit.warmed"])
    with pytest.MonkeyPatch.context() as patched:
        # Before Python 3.13 the fork server finds what it is to import by this alone.
        patched.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), *filter(None, sys.path)]))
        forkserver.ensure_running()
    return context


def _run(folder: str, arguments: Sequence[str], environment: dict[str, str]) -> None:
    """In the child."""
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), descriptor)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.path.insert(0, folder)
    sys.argv = ["pytest", *arguments]
    sys.exit(pytest.console_main())
