"""What a run of the ladder records."""

from dataclasses import dataclass

from fixtures.evidence.events import Event, Json


@dataclass(frozen=True)
class RungClimbed(Event):
    """A server of the memory ladder, measured: `row` as in the ladder's record, MiB and tokens."""

    row: dict[str, Json]


@dataclass(frozen=True)
class StartFailed(Event):
    """A start that was made to fail late: `facts` as in the ladder's record, MiB and seconds."""

    facts: dict[str, Json]
