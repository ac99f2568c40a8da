"""The record of the performance: a row for each server, and beside it what every request took."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from fixtures.evidence.events import EnvironmentRecorded
from fixtures.evidence.redaction import Private, redact
from tests.acceptance.performance.formulas import histogram
from tests.acceptance.performance.plugin import Answered, Measured
from tools.records import gpu_slug, head
from tools.records import write as write_record


def record(
    measured: Sequence[Measured], checkpoint: str, environment: EnvironmentRecorded, command: str, now: datetime
) -> dict[str, Any]:
    """As it is committed. Milliseconds, seconds, tokens."""
    return {
        **head(environment, command, now),
        "checkpoint": checkpoint,
        "servers": [one.row() for one in measured],
    }


def samples(measured: Sequence[Measured]) -> dict[str, Any]:
    """Of every request `[sent, first piece, end]` in seconds from the load's start, its tokens and its error; and how
    often each gap between pieces occurred, by tenths of a millisecond."""
    return {one.rung.id: {answered.load.name: _raw(answered) for answered in one.answered} for one in measured}


def _raw(answered: Answered) -> dict[str, Any]:
    timings = answered.sent.timings
    began = min(timing.sent for timing in timings)
    return {
        "requests": [
            [
                round(timing.sent - began, 5),
                round(timing.pieces[0] - began, 5) if timing.pieces else None,
                round(timing.ended - began, 5),
                timing.tokens,
                timing.error,
            ]
            for timing in timings
        ],
        "gaps_ms": histogram([gap for timing in timings if not timing.error for gap in timing.gaps]),
    }


def write(folder: Path, made: Mapping[str, Any], raw: Mapping[str, Any]) -> list[Path]:
    """Write both files; their paths. Without a GPU they are named after the CPU."""
    stem = f"performance-{gpu_slug(made['gpu']) if made['gpu'] else 'cpu'}"
    file, beside = folder / f"{stem}.json", folder / f"{stem}-samples.json"
    write_record(file, made)
    # Not indented: a line for each of thousands of requests would make it ten times as long.
    text = json.dumps({"command": made["command"], "date": made["date"], "servers": raw}, separators=(",", ":"))
    beside.write_text(redact(text, Private.of_this_machine()) + "\n", encoding="utf-8")
    return [file, beside]
