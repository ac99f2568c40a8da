"""SIGTERM is an interrupt while pytest runs, and what it was before and after."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

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


@pytest.fixture
def config(request: pytest.FixtureRequest) -> Iterator[pytest.Config]:
    """A configuration whose stash is empty; SIGTERM is as it was found afterwards."""
    before = signal.getsignal(signal.SIGTERM)
    fresh = type("Config", (), {"stash": pytest.Stash()})()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield fresh
    signal.signal(signal.SIGTERM, before)
    assert request.config is not fresh


@pytest.mark.parametrize(
    ("plugin", "status", "torn_down"), [("fixtures.session.interrupts", 2, True), ("pytester", -15, False)]
)
def test_fixtures_are_torn_down_only_with_the_plugin(tmp_path: Path, plugin: str, status: int, torn_down: bool) -> None:
    (tmp_path / "test_it.py").write_text(TEST)
    finished = pytest_processes.run(tmp_path, "-p", plugin, "-c", os.devnull, "--rootdir", ".", "-q", "test_it.py")
    assert finished.ret == status, finished.outlines
    assert (tmp_path / "torn-down").exists() is torn_down


def test_taken_and_given_back(config: pytest.Config) -> None:
    interrupts.pytest_configure(config)
    with pytest.raises(KeyboardInterrupt, match="SIGTERM"):
        os.kill(os.getpid(), signal.SIGTERM)
    interrupts.pytest_unconfigure(config)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize("theirs", [signal.SIG_IGN, lambda _number, _frame: None])
def test_somebody_elses_handler_is_left_alone(config: pytest.Config, theirs: signal.Handlers) -> None:
    signal.signal(signal.SIGTERM, theirs)
    interrupts.pytest_configure(config)
    interrupts.pytest_unconfigure(config)
    assert signal.getsignal(signal.SIGTERM) is theirs


def test_not_in_another_thread(config: pytest.Config) -> None:
    thread = threading.Thread(target=interrupts.pytest_configure, args=(config,))
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert len(config.stash) == 0
