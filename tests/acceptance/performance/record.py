"""The record of servers under load, from the events of its run. Milliseconds, seconds, tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fixtures.evidence.events import CheckpointIdentified, Entry, PerformanceMeasured
from fixtures.judge.verdict import Happened
from tests.acceptance.performance.plugin import SERVED


def records(entries: Sequence[Entry]) -> dict[str, Any]:
    """A row for each server.

    :raises ValueError: servers are missing.
    """
    happened = Happened(tuple(entries))
    rows = {event.row["name"]: event.row for event in happened.of(PerformanceMeasured)}
    if not rows:
        return {}
    if missing := [rung.id for rung in SERVED if rung.id not in rows]:
        raise ValueError(f"servers are missing: {', '.join(missing)}")
    checkpoint = happened.of(CheckpointIdentified)[-1].name
    return {"performance-{gpu}": {"checkpoint": checkpoint, "servers": [rows[rung.id] for rung in SERVED]}}
