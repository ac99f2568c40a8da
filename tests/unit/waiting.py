"""Waiting for real processes in tests, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from fixtures.process.guard import Process, is_alive, process

PROGRAMS = Path(__file__).parent / "programs"
ROOT = PROGRAMS.parents[2]


def eventually(condition: Callable[[], object], within: float = 10.0) -> float:
    """Wait until the condition holds; fail after `within` seconds. Returns the seconds it took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < within, f"not within {within} s"
        time.sleep(0.01)
    return time.monotonic() - started


def noted(pids: Path, count: int = 1) -> list[Process]:
    """The processes whose pids a test program wrote down, as soon as `count` are there."""
    eventually(lambda: pids.exists() and pids.read_text().count("\n") >= count)
    return [one for line in pids.read_text().split() if (one := process(int(line))) is not None]


def alive(processes: Iterable[Process]) -> list[Process]:
    """Those of them that still run."""
    return [known for known in processes if is_alive(known)]
