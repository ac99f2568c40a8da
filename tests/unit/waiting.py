"""Wait for real processes in tests, with a deadline."""

import contextlib
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil

from fixtures.process.tree import runs

PROGRAMS = Path(__file__).parent / "programs"
ROOT = PROGRAMS.parents[2]


def eventually(condition: Callable[[], object], within: float = 10.0) -> float:
    """Wait until the condition is met; fail after `within` seconds. Return the seconds it took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < within, f"not within {within} s"
        time.sleep(0.01)
    return time.monotonic() - started


def noted(pids: Path, count: int = 1) -> list[psutil.Process]:
    """Find the processes whose pids a test program wrote down, as soon as `count` are there."""
    eventually(lambda: pids.exists() and pids.read_text().count("\n") >= count)
    found = []
    for pid in pids.read_text().split():
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append(psutil.Process(int(pid)))
    return found


def alive(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """List those of them that still run."""
    return [known for known in processes if runs(known)]
