"""What is recorded of an entry point."""

from __future__ import annotations

from dataclasses import dataclass

from fixtures.evidence.events import Event


@dataclass(frozen=True)
class DoorTried(Event):
    """The deployment as it was met through another door than the API: a terminal, a browser, a script, a tunnel.

    `command` is what a person types; `transcript` what was seen then; `note` what else must be known of it. `picture`
    is a JPEG in base32, or empty; `vram_mib` None where memory was not measured."""

    claim: str
    command: str
    transcript: str
    seconds: float
    note: str = ""
    vram_mib: int | None = None
    picture: str = ""
