"""What is recorded of a fault."""

from dataclasses import dataclass

from fixtures.evidence.events import Event, Json


@dataclass(frozen=True)
class FaultSuffered(Event):
    """A run that was struck, and what it left: `row` as in the record, MiB and seconds."""

    row: dict[str, Json]
