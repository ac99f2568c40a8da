"""The record of servers under load, from the events of its run. Milliseconds, seconds, tokens."""

from collections.abc import Sequence
from typing import Any

from fixtures.evidence.events import CheckpointIdentified, Entry
from fixtures.judge.verdict import Happened
from tests.acceptance.performance.events import PerformanceMeasured
from tests.acceptance.performance.measuring import SERVED


def records(entries: Sequence[Entry]) -> dict[str, Any]:
    """Return a row for each server, and when every request was sent, began to be answered and ended.

    :raises ValueError: servers are missing.
    """
    happened = Happened(tuple(entries))
    measured = {event.row["name"]: event for event in happened.of(PerformanceMeasured)}
    if not measured:
        return {}
    if missing := [served.id for served in SERVED if served.id not in measured]:
        raise ValueError(f"servers are missing: {', '.join(missing)}")
    checkpoint = happened.of(CheckpointIdentified)[-1].name
    rows = [measured[served.id].row for served in SERVED]
    return {
        "performance-{gpu}": {"checkpoint": checkpoint, "servers": rows},
        "performance-{gpu}-samples": {"servers": {name: event.requests for name, event in measured.items()}},
    }
