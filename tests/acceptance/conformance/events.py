"""What is recorded of conformance."""

from dataclasses import dataclass

from fixtures.evidence.events import Event, Json


@dataclass(frozen=True)
class RowTried(Event):
    """A request of the table and its answer: `lacks` lists what is not as documented, `sdk` what the protocol's SDK
    said: `parsed`, `not_installed`, its error, or empty where it was not asked. `shape` has types for values."""

    row: str
    route: str
    status: int | None
    lacks: list[str]
    sdk: str
    shape: Json
    answer: str


@dataclass(frozen=True)
class RoutesAsked(Event):
    """Every route of the app by the status of a request without a key that cannot act; None where only a request that
    acts could tell. `guarded` and `open` are `METHOD /path`."""

    guarded: list[str]
    open: list[str]
    unknown: list[str]
