"""SIGTERM is an interrupt while pytest runs, and what it was before and after."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fixtures.session import interrupts
from tests.unit import pytest_processes

TEST = """
import os, signal, time, pytest
from pathlib import Path

@pytest.fixture
def resource():
    yield
    Path("torn-down").touch()

def test_terminated(resource):
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(10)
"""
REFUSED = """
def pytest_addoption(parser):
    parser.addoption("--reruns", type=int)  # as pytest-rerunfailures has it
"""


@pytest.fixture
def config() -> Iterator[Any]:
    """A configuration whose stash is empty; SIGTERM is afterwards as it was found."""
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield SimpleNamespace(stash=pytest.Stash())
    signal.signal(signal.SIGTERM, before)


def test_fixtures_are_torn_down_after_sigterm(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TEST)
    plugin = ("-p", "fixtures.session.interrupts")
    finished = pytest_processes.run(tmp_path, *plugin, "-c", os.devnull, "--rootdir", ".", "-q", "test_it.py")
    assert finished.ret == pytest.ExitCode.INTERRUPTED, finished.outlines
    assert (tmp_path / "torn-down").exists()


def test_sigterm_is_taken_and_given_back(config: Any) -> None:
    interrupts.pytest_configure(config)
    with pytest.raises(KeyboardInterrupt, match="SIGTERM"):
        os.kill(os.getpid(), signal.SIGTERM)
    interrupts.pytest_unconfigure(config)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize("theirs", [signal.SIG_IGN, lambda _number, _frame: None])
def test_somebody_elses_handler_is_left_alone(config: Any, theirs: signal.Handlers) -> None:
    signal.signal(signal.SIGTERM, theirs)
    interrupts.pytest_configure(config)
    interrupts.pytest_unconfigure(config)
    assert signal.getsignal(signal.SIGTERM) is theirs


def test_sigterm_is_not_taken_in_another_thread(config: Any) -> None:
    thread = threading.Thread(target=interrupts.pytest_configure, args=(config,))
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize(
    ("uses", "option", "refused"),
    [
        ("xprocess", "-pno:cacheprovider", True),
        ("xprocess", "--reruns=2", True),
        ("xprocess", "--reruns=0", False),
        ("tmp_path", "--reruns=2", False),
    ],
)
def test_option_that_breaks_xprocess_is_refused_where_it_is_used(
    tmp_path: Path, uses: str, option: str, refused: bool
) -> None:
    (tmp_path / "conftest.py").write_text(REFUSED)
    (tmp_path / "test_it.py").write_text(f"def test_it({uses}): pass\n")
    plugins = ("-p", "fixtures.session.refusals", "-p", "xprocess.pytest_xprocess")
    finished = pytest_processes.run(tmp_path, *plugins, "-c", os.devnull, "--rootdir", ".", "-q", option, "test_it.py")
    assert finished.ret == (pytest.ExitCode.USAGE_ERROR if refused else pytest.ExitCode.OK), finished.outlines
