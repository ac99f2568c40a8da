"""What a run under load records."""

from __future__ import annotations

from dataclasses import dataclass

from fixtures.evidence.events import Event, Json


@dataclass(frozen=True)
class PerformanceMeasured(Event):
    """A server under load: `row` as in the performance record, milliseconds, seconds, tokens."""

    row: dict[str, Json]
