"""`python -m tools.overhead.own`: seconds that the suite takes by itself, into docs/records/suite.json.

To collect, beside what pytest takes without this suite; to write a report; the share of a processor that the sampler
takes at 10 Hz; with `--tests` the suite's own tests as `tox run -e unit` runs them. To be run on an idle machine.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any, Final

import pytest

from fixtures.evidence import Evidence, read
from fixtures.gpu.sampler import Sampler
from fixtures.report.page import standalone
from fixtures.report.summary import summarize
from fixtures.texts import LANGUAGES, Texts
from tools.overhead.__main__ import usual
from tools.records import RECORDS, ROOT, head_now, processor_seconds, write

RUN: Final = ROOT / "docs" / "reports" / "standin-cold"
"""A real run, whose report is made again."""

PROCESSES: Final = 3
"""On two processors: many of the tests wait for processes that they have started, and not for a processor."""

ROUNDS: Final = 5


def timed(action: Callable[[], object]) -> dict[str, Any]:
    """Seconds of each round and their median; the first round fills caches and is left out."""
    runs = []
    for _ in range(ROUNDS + 1):
        began = time.monotonic()
        action()
        runs.append(round(time.monotonic() - began, 3))
    return {"runs": runs[1:], "median": median(runs[1:])}


def collect(folder: Path, *words: str, expected: int = 0) -> None:
    """`pytest --collect-only` in a process of its own. Raises CalledProcessError where it ends otherwise."""
    argv = [sys.executable, "-m", "pytest", *words, "--collect-only", "-q"]
    done = subprocess.run(argv, cwd=folder, env=usual(os.environ), stdout=subprocess.DEVNULL, check=False)
    if done.returncode != expected:
        raise subprocess.CalledProcessError(done.returncode, argv)


def report(run: Path = RUN) -> str:
    """A report from a run's events."""
    return standalone(summarize(read(run)), Texts(LANGUAGES[0]))


def sampling(seconds: float = 5.0) -> float:
    """Share of one processor that the sampler takes, with its log; its probe answers at once."""
    still: Any = SimpleNamespace(interval_s=0.1, used_mib=lambda: 1000.0)
    with tempfile.TemporaryDirectory() as folder:
        evidence = Evidence(Path(folder))
        with Sampler(still, evidence):
            cpu, began = time.process_time(), time.monotonic()
            time.sleep(seconds)
            share = (time.process_time() - cpu) / (time.monotonic() - began)
        evidence.close()
    return round(share, 5)


def tests() -> dict[str, Any]:
    """The suite's own tests: seconds from start to end, seconds of processors, exit code, and pytest's last line."""
    began, worked = time.monotonic(), processor_seconds()
    argv = [sys.executable, "-m", "pytest", "tests", "-q", "-n", str(PROCESSES), "--dist", "worksteal"]
    done = subprocess.run(argv, cwd=ROOT, env=usual(os.environ), capture_output=True, text=True, check=False)
    return {
        "seconds": round(time.monotonic() - began, 1),
        "processor_seconds": round(processor_seconds() - worked, 1),
        "processes": PROCESSES,
        "exit_code": done.returncode,
        "said": done.stdout.strip().splitlines()[-1],
    }


def main(words: Sequence[str]) -> None:
    """The program."""
    parser = argparse.ArgumentParser(prog="python -m tools.overhead.own", description="seconds of the suite itself")
    parser.add_argument("--tests", action="store_true", help="the suite's own tests, too: a minute or two")
    given = parser.parse_args(words)
    origin = {**head_now(shlex.join(["python", "-m", "tools.overhead.own", *words])), "load_before": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory() as empty:
        nothing = timed(lambda: collect(Path(empty), "-p", "no:anyio", expected=pytest.ExitCode.NO_TESTS_COLLECTED))
    made = {
        **origin,
        "collect_seconds": timed(lambda: collect(ROOT, "tests")),
        "collect_acceptance_seconds": timed(lambda: collect(ROOT, "tests", "-m", "gpu")),
        "collect_nothing_seconds": nothing,
        "report_seconds": timed(report),
        "sampler_share_of_a_core": sampling(),
        **({"unit_tests": tests()} if given.tests else {}),
    }
    write(RECORDS / "suite.json", made)


if __name__ == "__main__":
    main(sys.argv[1:])
