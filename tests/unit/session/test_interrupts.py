"""SIGTERM is an interrupt while pytest runs; options that break xprocess are refused before it does."""

import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fixtures.session import interrupts
from tests.unit import pytest_processes

TERMINATED = """
import os, signal, time, pytest
from pathlib import Path

@pytest.fixture
def resource():
    yield
    Path("torn-down").touch()

def test_it(resource):
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(10)
"""
RERUNS = """
def pytest_addoption(parser):
    parser.addoption("--reruns", type=int)  # as pytest-rerunfailures has it
"""


def run(folder: Path, plugin: str, *options: str) -> int:
    (folder / "conftest.py").write_text(RERUNS)
    plugins = ("-p", "fixtures.run.settings", "-p", f"fixtures.session.{plugin}", "-p", "xprocess.pytest_xprocess")
    return int(pytest_processes.run(folder, *plugins, "-c", os.devnull, "--rootdir", ".", *options, "test_it.py").ret)


def test_fixtures_are_torn_down_after_sigterm(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TERMINATED)
    assert run(tmp_path, "interrupts") == pytest.ExitCode.INTERRUPTED
    assert (tmp_path / "torn-down").exists()


def test_sigterm_that_somebody_has_taken_already_stays_theirs() -> None:
    theirs = signal.signal(signal.SIGTERM, lambda _number, _frame: None)
    taken = signal.getsignal(signal.SIGTERM)
    config: Any = SimpleNamespace(stash=pytest.Stash())
    interrupts.pytest_configure(config)
    found = signal.getsignal(signal.SIGTERM)
    interrupts.pytest_unconfigure(config)
    left = signal.signal(signal.SIGTERM, theirs)
    assert (found, left) == (taken, taken)


@pytest.mark.parametrize(
    ("uses", "option", "status"),
    [
        ("xprocess", "-pno:cacheprovider", pytest.ExitCode.USAGE_ERROR),
        ("xprocess", "--reruns=2", pytest.ExitCode.USAGE_ERROR),
        ("xprocess", "--reruns=0", pytest.ExitCode.OK),
        ("tmp_path", "--reruns=2", pytest.ExitCode.OK),
    ],
)
def test_option_that_breaks_xprocess_is_refused_where_it_is_used(
    tmp_path: Path, uses: str, option: str, status: int
) -> None:
    (tmp_path / "test_it.py").write_text(f"def test_it({uses}): pass\n")
    assert run(tmp_path, "refusals", option) == status
