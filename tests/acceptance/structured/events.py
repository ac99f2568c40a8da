"""What is recorded of a reply under a schema."""

from dataclasses import dataclass

from fixtures.evidence.events import Event


@dataclass(frozen=True)
class SchemaTried(Event):
    """A schema asked for in one of two ways: what came of it, with how many tokens; `why` in technical words."""

    case: str
    way: str
    outcome: str
    why: str
    tokens: int | None
    text: str
