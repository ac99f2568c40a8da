"""`python -m tools.overhead.own`: what the suite takes by itself, into docs/records/suite.json.

Seconds to collect, beside what pytest takes without this suite; to write a report, and to draw its pictures where there
is a browser; share of a core that the sampler takes at 10 Hz; `--unit` adds the suite's own tests as `tox run -e unit`
runs them. To be run on an idle machine: its record says how fast a loop of Python was, before and after.
"""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any, Final

import pytest

from fixtures.evidence import Evidence, read
from fixtures.gpu.sampler import Sampler
from fixtures.lmdeploy.commands import ROOT
from fixtures.report.document import to_text
from fixtures.report.page import standalone
from fixtures.report.pictures import take
from fixtures.report.summary import summarize
from fixtures.session.environment import versions
from fixtures.texts import LANGUAGES, Texts
from tools.overhead.running import usual
from tools.records import RECORDS, write
from tools.timed import processor_seconds

RECORD: Final = ROOT / RECORDS / "suite.json"
RUN: Final = ROOT / "docs" / "reports" / "standin-cold"
"""A real run, whose report is made again."""

STAT: Final = Path("/proc/stat")
STEAL: Final = 7
"""Of the figures behind `cpu` (proc(5)): user, nice, system, idle, iowait, irq, softirq, steal."""

LOOP: Final = 10_000_000
"""Additions: about a second."""

PROCESSES: Final = 3
"""On two processors: many of the tests wait for processes that they have started, and not for a processor."""

ROUNDS: Final = 5
SAMPLED_S: Final = 5.0


class Still:
    """A probe that answers at once: what is left is the sampler's own."""

    name, driver, cuda, interval_s = "none", "", "", 0.1

    def total_mib(self) -> float:
        return 81_559.0

    def used_mib(self) -> float:
        return 1000.0

    def reserved_mib(self) -> float:
        return 0.0

    def processes(self) -> list[str]:
        return []


def collecting(*options: str) -> list[float]:
    """Seconds of `pytest --collect-only`, from the start of the process to its end; the first round fills caches and is
    left out."""
    return _timed(ROOT, "tests", *options, expected=0)


def nothing() -> list[float]:
    """The same in an empty folder: Python, pytest and its plugins. No collection takes less."""
    with tempfile.TemporaryDirectory() as empty:
        return _timed(Path(empty), "-p", "no:anyio", expected=pytest.ExitCode.NO_TESTS_COLLECTED)


def _timed(folder: Path, *words: str, expected: int) -> list[float]:
    found = []
    for _ in range(ROUNDS + 1):
        began = time.monotonic()
        argv = [sys.executable, "-m", "pytest", *words, "--collect-only", "-q"]
        done = subprocess.run(argv, cwd=folder, env=usual(os.environ), stdout=subprocess.DEVNULL, check=False)
        found.append(round(time.monotonic() - began, 3))
        if done.returncode != expected:
            raise subprocess.CalledProcessError(done.returncode, argv)
    return found[1:]


def reporting() -> list[float]:
    """Seconds to make a report of a real run's events."""
    found = []
    for _ in range(ROUNDS):
        began = time.monotonic()
        run = summarize(read(RUN))
        standalone(run, Texts(LANGUAGES[0]))
        found.append(round(time.monotonic() - began, 3))
    return found


def drawing() -> float | None:
    """Seconds to make the pictures of a real run's report; None where there is no browser or no playwright."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        return round(time.monotonic() - began, 3) if take(RUN / "report.html", Path(folder)) else None


def sampling() -> float:
    """Share of one core that the sampler takes, with its log."""
    with tempfile.TemporaryDirectory() as folder:
        evidence = Evidence(Path(folder))
        with Sampler(Still(), evidence):
            cpu, began = time.process_time(), time.monotonic()
            time.sleep(SAMPLED_S)
            spent, passed = time.process_time() - cpu, time.monotonic() - began
        evidence.close()
    return round(spent / passed, 5)


def stolen(before: str, after: str) -> float:
    """Share of the processors' time that other machines of the host had meanwhile, by the first lines of `/proc/stat`:
    what an idle machine did not get."""
    first, last = ([int(word) for word in text.split("\n", 1)[0].split()[1:9]] for text in (before, after))
    spent = [one - other for one, other in zip(last, first, strict=True)]
    return round(spent[STEAL] / max(sum(spent), 1), 4)


def looping() -> float:
    """Seconds of a loop of :data:`LOOP` additions: by it, figures of different machines and hours can be compared."""
    began, total = time.monotonic(), 0
    for number in range(LOOP):
        total += number
    return round(time.monotonic() - began, 3)


def unit_tests() -> dict[str, Any]:
    """The suite's own tests: seconds from start to end, seconds of processors, what failed, and pytest's last line."""
    began, worked = time.monotonic(), processor_seconds()
    argv = [sys.executable, "-m", "pytest", "tests", "-q", "-n", str(PROCESSES), "--dist", "worksteal"]
    done = subprocess.run(argv, cwd=ROOT, env=usual(os.environ), capture_output=True, text=True, check=False)
    said = done.stdout.strip().splitlines()
    return {
        "seconds": round(time.monotonic() - began, 1),
        "processor_seconds": round(processor_seconds() - worked, 1),
        "processes": PROCESSES,
        "exit_code": done.returncode,
        "failed": [line for line in said if line.startswith(("FAILED", "ERROR"))],
        "said": said[-1],
    }


def main(words: Sequence[str]) -> int:
    """The program; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.overhead.own", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=RECORD)
    parser.add_argument("--unit", action="store_true", help="the suite's own tests, too: a minute or two")
    given = parser.parse_args(words)
    before, loops = STAT.read_text(encoding="ascii"), [looping()]
    collected, accepted, alone, reported = collecting(), collecting("-m", "gpu"), nothing(), reporting()
    made: dict[str, Any] = {
        "command": shlex.join(["python", "-m", "tools.overhead.own", *words]),
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version(), **versions()},
        "hardware": {"machine": platform.machine(), "processors": os.cpu_count(), "load_before": os.getloadavg()[0]},
        "collect_seconds": {"runs": collected, "median": median(collected)},
        "collect_acceptance_seconds": {"runs": accepted, "median": median(accepted)},
        "collect_nothing_seconds": {"runs": alone, "median": median(alone)},
        "report_seconds": {"runs": reported, "median": median(reported), "of": RUN.relative_to(ROOT).as_posix()},
        "pictures_seconds": drawing(),
        "sampler_share_of_a_core": sampling(),
        **({"unit_tests": unit_tests()} if given.unit else {}),
    }
    made["loop_seconds"] = [*loops, looping()]
    made["stolen_share"] = stolen(before, STAT.read_text(encoding="ascii"))
    write(given.out, made)
    sys.stdout.write(to_text(made))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
