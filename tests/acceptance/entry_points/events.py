"""What is recorded of an entry point."""

from dataclasses import dataclass

from fixtures.evidence.events import Event, Json


@dataclass(frozen=True)
class EntryPointTried(Event):
    """The deployment as it was met otherwise than through its API: in a terminal, a browser, a script, a tunnel.

    `command` is what a person types; `transcript` what was seen then; `note` what else must be known of it, a message.
    `picture` is a JPEG in base32, or empty; `vram_mib` None where memory was not measured."""

    claim: str
    command: str
    transcript: str
    seconds: float
    note: Json = ""
    vram_mib: int | None = None
    picture: str = ""
