"""What is recorded of conformance."""

from dataclasses import dataclass

from fixtures.evidence.events import Event


@dataclass(frozen=True)
class RowTried(Event):
    """A request of the table and its answer: `lacks` lists what is not as documented, `sdk` what the protocol's SDK
    said: `parsed`, `not_installed`, its error, or empty where it was not asked."""

    row: str
    route: str
    status: int | None
    lacks: list[str]
    sdk: str
    answer: str


@dataclass(frozen=True)
class RoutesAsked(Event):
    """Every route of the app by what a request without a key came to; `unknown` got no answer. `METHOD path`, without
    the slash before it that would make it a path of this machine."""

    guarded: list[str]
    open: list[str]
    unknown: list[str]
