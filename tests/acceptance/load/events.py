"""What a run of this suite records."""

from dataclasses import dataclass

from fixtures.evidence.events import Event, Json


@dataclass(frozen=True)
class LoadCompared(Event):
    """A server whose answers under load were held against its own alone: `row` as in the record, seconds and nats."""

    row: dict[str, Json]
