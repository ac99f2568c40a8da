"""What a second GPU saves: the same tests by one process and by a worker for each of N GPUs, timed and recorded.

    python -m tools.workers_record --workers 2
    python -m tools.workers_record --workers 2 -- -m ladder -k TestEachRung --checkpoint geometry

Whole pytest runs are timed, from their start to their end with the report. The quantized checkpoint is cached before
anything counts: a run that had to make it is run again. Writes docs/records/workers-GPU.json.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from fixtures.errors import AcceptanceError
from fixtures.evidence import EVENTS_FILE, read
from fixtures.evidence.events import EnvironmentRecorded, Quantized, RunFinished, ServerReady
from fixtures.judge.verdict import Happened
from tests.acceptance.ladder.events import RungClimbed
from tools.records import RECORDS, gpu_slug, head, write

ROOT: Final = Path(__file__).parents[1]

LADDER: Final = ("-m", "ladder", "-k", "TestEachRung")
"""Eight servers in turn, which take about the same time each and depend on nothing but their checkpoint."""

COMPARABLE: Final = (0, 1)
"""pytest's exit statuses of runs that did all their work: a claim that fails in every run costs each the same time."""

RUN_TIMEOUT_S: Final = 3600.0
"""The ladder takes four minutes on an H100; one that hangs must not keep a rented machine for ever."""


@dataclass(frozen=True)
class Timed:
    """A whole run. `workers` is 0 for one process without pytest-xdist; `seconds` by the wall."""

    workers: int
    seconds: float
    exit_status: int
    tests: int
    servers: int
    rungs: list[str]
    quantized: bool
    """Whether it made the quantized checkpoint, and so was not timed for what it is about."""


Run = Callable[[int], tuple[Timed, Happened]]
"""`run(workers)`: the tests once."""


def run_pytest(workers: int, arguments: Sequence[str]) -> tuple[Timed, Happened]:
    """Run pytest in a process of its own; its console is this one's.

    :raises AcceptanceError: it leaves no evidence.
    """
    spread = ["-n", str(workers)] if workers else []
    with tempfile.TemporaryDirectory(prefix="workers-record-") as folder:
        command = [sys.executable, "-m", "pytest", "tests", *arguments, *spread, "--evidence-dir", folder]
        print(f"$ {shlex.join(command[2:])}", flush=True)
        began = time.monotonic()
        status = subprocess.run([*command, "--report-pictures", "off"], cwd=ROOT, timeout=RUN_TIMEOUT_S, check=False)
        seconds = round(time.monotonic() - began, 2)
        log = next(Path(folder).glob(f"*/{EVENTS_FILE}"), None)
        if log is None:
            raise AcceptanceError("the run left no evidence", where=shlex.join(command[2:]), remedy="see its console")
        happened = Happened(tuple(read(log.parent)))
    timed = Timed(
        workers=workers,
        seconds=seconds,
        exit_status=status.returncode,
        tests=sum(event.tests_run for event in happened.of(RunFinished)),
        servers=len(happened.of(ServerReady)),
        rungs=sorted(event.row["name"] for event in happened.of(RungClimbed)),
        quantized=any(not event.cached for event in happened.of(Quantized)),
    )
    return timed, happened


def measure(run: Run, workers: int, repeats: int, now: datetime, command: str) -> dict[str, Any]:
    """The record: `repeats` runs of each kind, in turn, and the ratio of their medians.

    :raises AcceptanceError: a run broke off, or did other tests than the others or with another outcome.
    """
    runs: list[Timed] = []
    environment: EnvironmentRecorded | None = None
    for number in [0, workers] * repeats:
        timed, happened = run(number)
        if timed.quantized:
            timed, happened = run(number)
        environment = next(iter(happened.of(EnvironmentRecorded)), environment)
        runs.append(timed)
        if timed.exit_status not in COMPARABLE or _did(timed) != _did(runs[0]):
            raise AcceptanceError(
                f"a run with {timed.workers} workers ended with status {timed.exit_status} after {timed.tests} tests "
                f"of {len(timed.rungs)} rungs: nothing can be compared",
                where=command,
                remedy="see what failed on its console",
            )
    one, many = ([timed.seconds for timed in runs if timed.workers == number] for number in (0, workers))
    if environment is None:
        raise AcceptanceError("no run recorded its environment", where=command, remedy="see its console")
    return {
        **head(environment, command, now),
        "workers": workers,
        "runs": [asdict(timed) for timed in runs],
        "seconds_one": _median(one),
        "seconds_many": _median(many),
        "ratio": round(_median(one) / _median(many), 3),
    }


def _did(timed: Timed) -> tuple[int, int, list[str]]:
    return timed.tests, timed.exit_status, timed.rungs


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def main(arguments: Sequence[str]) -> int:
    """The program; 0 when it has recorded, 1 when a run failed."""
    parser = argparse.ArgumentParser(prog="python -m tools.workers_record", description=__doc__)
    parser.add_argument("--workers", type=int, default=2, help="GPUs, a worker for each (default: 2)")
    parser.add_argument("--repeats", type=int, default=1, help="runs of each kind (default: 1)")
    parser.add_argument("--out", type=Path, default=ROOT / RECORDS, help="folder of the record (default: docs/records)")
    parser.add_argument("pytest", nargs="*", default=[], help="behind `--`: which tests, and options of theirs")
    given = parser.parse_args(arguments)
    chosen = given.pytest or list(LADDER)
    command = shlex.join(["python", "-m", "tools.workers_record", *arguments])
    try:
        made = measure(
            lambda number: run_pytest(number, chosen),
            given.workers,
            given.repeats,
            datetime.now().astimezone(),
            command,
        )
    except AcceptanceError as error:
        print(error, file=sys.stderr)
        return 1
    file = given.out / f"workers-{gpu_slug(made['gpu'])}.json"
    write(file, made)
    print(
        f"{made['seconds_one']:.1f} s by one process, {made['seconds_many']:.1f} s by {given.workers} workers: ", end=""
    )
    print(f"{made['ratio']:.2f} times as fast; {file}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
