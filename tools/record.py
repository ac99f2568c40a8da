"""`python -m tools.record evidence/<run> ...`: the records of finished runs, from their events alone.

The homework's `record.py` in tests/acceptance and that of each suite say what is kept: `records(entries)` gives the
content of each record by its file's name, in which `{gpu}` stands for the card, and raises ValueError where the run is
not whole. Where the module has `merged(old, new)`, a record that exists is not replaced but extended.
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from fixtures.evidence import read as read_events
from fixtures.evidence.events import Entry, EnvironmentRecorded, RunStarted
from fixtures.judge.verdict import Happened
from fixtures.suites import PACKAGE, modules
from tools.records import RECORDS, gpu_slug, head, read, write


def records(entries: Sequence[Entry], out: Path) -> dict[Path, dict[str, Any]]:
    """Derive every record of a run by its file, extended where it exists below `out` and can be.

    :raises ValueError: the run has no environment, or is not whole.
    """
    happened = Happened(tuple(entries))
    started, environments = happened.of(RunStarted), happened.of(EnvironmentRecorded)
    if not started or not environments:
        raise ValueError("the run did not come to record what it ran on")
    begun, environment = started[0], environments[0]
    origin = head(environment, shlex.join(begun.argv), entries[0].at, begun.commit, begun.dirty)
    found = {}
    for module in (import_module(f"{PACKAGE}.record"), *modules("record")):
        for name, content in module.records(entries).items():
            file = out / f"{name.format(gpu=gpu_slug(environment.gpu))}.json"
            made, old = {**origin, **content}, read(file)
            found[file] = module.merged(old, made) if old and hasattr(module, "merged") else made
    if not found:
        raise ValueError("nothing in this run is kept as a record")
    return found


def main(arguments: Sequence[str]) -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(prog="python -m tools.record", description="write the records of finished runs")
    parser.add_argument("runs", type=Path, nargs="+", help="folders with events.jsonl")
    parser.add_argument("--out", type=Path, default=RECORDS, help="folder of the records (default: docs/records)")
    given = parser.parse_args(arguments)
    for run in given.runs:
        try:
            made = records(read_events(run), given.out)
        except (OSError, ValueError) as error:
            raise SystemExit(f"{run}: {error}") from None
        for file, content in made.items():
            write(file, content)
            print(file)


if __name__ == "__main__":
    main(sys.argv[1:])
