"""`python -m tools.overhead.pool RECORD ... --out RECORD`: what several sittings measured, as one record.

A machine that is lent by the hour has time for a pair or two with the quantization, and one pair says little.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from fixtures.errors import AcceptanceError
from tools.overhead.pairs import Run
from tools.overhead.record import figures, run_from_json
from tools.records import write

SAME: Final = ("gpu", "python", "versions", "checkpoint")
"""What the sittings must have in common for their pairs to be of one kind, beside what was asked of the sides."""

OWN: Final = ("command", "date", "driver")
"""What each sitting has of its own."""


def main(words: Sequence[str]) -> int:
    """The program; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.overhead.pool", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("records", nargs="+", type=Path, help="what `python -m tools.overhead` wrote")
    parser.add_argument("--out", required=True, type=Path)
    given = parser.parse_args(words)
    command = shlex.join(["python", "-m", "tools.overhead.pool", *words])
    write(given.out, pooled([_read(file) for file in given.records], command, datetime.now().astimezone()))
    return 0


def pooled(sittings: Sequence[Mapping[str, Any]], command: str, now: datetime) -> dict[str, Any]:
    """One record of them all: every run as it was, its pair numbered through.

    :raises AcceptanceError: they are not of the same GPU, versions, checkpoint and options, or one is given twice.
    """
    first = sittings[0]
    other = [key for key in SAME if any(sitting[key] != first[key] for sitting in sittings)]
    if any(_options(sitting) != _options(first) for sitting in sittings):
        other.append("what was asked of the sides")
    if other:
        raise AcceptanceError(
            f"the records differ in {' and '.join(other)}", where="the records", remedy="give those of one kind"
        )
    if len({(sitting["command"], sitting["date"]) for sitting in sittings}) < len(sittings):
        raise AcceptanceError("a sitting is given twice", where="the records", remedy="give each once")
    runs: list[Run] = []
    for sitting in sittings:
        runs += _after(runs, [run_from_json(value) for value in sitting["runs"]])
    return {
        **{key: value for key, value in first.items() if key not in figures([])},
        "command": command,
        "date": now.isoformat(timespec="seconds"),
        "sittings": [{**{key: sitting[key] for key in OWN}, "runs": len(sitting["runs"])} for sitting in sittings],
        **figures(runs),
    }


def _options(sitting: Mapping[str, Any]) -> tuple[bool, list[str]]:
    """What was measured, of the command that did: whether the script overlapped, and the words behind `--`."""
    words = shlex.split(sitting["command"])
    end = words.index("--") if "--" in words else len(words)
    return "--overlap" in words[:end], words[end + 1 :]


def _after(runs: Sequence[Run], added: Sequence[Run]) -> list[Run]:
    last = {run.slot.kind: run.slot.pair for run in runs}
    return [replace(run, slot=replace(run.slot, pair=run.slot.pair + last.get(run.slot.kind, 0))) for run in added]


def _read(file: Path) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        for value in record["runs"]:
            run_from_json(value)
        missing = [key for key in (*SAME, *OWN) if key not in record]
        if missing:
            raise KeyError(*missing)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AcceptanceError(
            f"this is no record of the suite's overhead: {error!r}",
            where=str(file),
            remedy="give what `python -m tools.overhead` wrote",
        ) from None
    if "sittings" in record:
        raise AcceptanceError(
            "this record is of several sittings already: some could be counted twice",
            where=str(file),
            remedy="give the records of the sittings themselves",
        )
    return record


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except AcceptanceError as error:
        sys.exit(str(error))
