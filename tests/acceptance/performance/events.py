"""What a run under load records."""

from dataclasses import dataclass, field

from fixtures.evidence.events import Event, Json


@dataclass(frozen=True)
class PerformanceMeasured(Event):
    """A server under load: `row` as in the performance record, milliseconds, seconds, tokens.

    `requests` has a list for each of the row's loads: of every request when it was sent, its first piece and its end,
    seconds from the load's start, and its tokens; None for a piece or an end that never came."""

    row: dict[str, Json]
    requests: list[list[list[float | None]]] = field(default_factory=list)
