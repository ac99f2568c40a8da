"""Text that tries to break out of a page, and a run that has it in every channel."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from fixtures.evidence.events import (
    ClaimsSelected,
    Event,
    Exchanged,
    PhaseMarked,
    RunFinished,
    TestFinished,
    VramSampled,
)
from fixtures.homework import STORY_PROMPT
from tests.unit.report import synthetic

HOSTILE = (
    '<script>window.pwned=1</script><img src=x onerror="window.pwned=2"><svg onload=window.pwned=3>'
    "'\"></td></pre></style></title></textarea><!-- <|im_start|> {{7*7}} ${7*7} \\u003cscript\\u003e"
    "\x1b]8;;javascript:window.pwned=4\x07link\x1b]8;;\x07\x1b[31mred\x00\x08\x7f\x85\ud800\udfff"
    "\u202eelcit\u2066 ]]> javascript:window.pwned=5 &#60;script&#62; \u2028\u2029 `code` |cell| [x](javascript:1)"
)
MARK = "<|im_start|>"
"""A part of it that must be seen on the page as it is."""


def spoiled(value: Any, bulk: str = "") -> Any:
    """The value with hostile text in every string and key."""
    if isinstance(value, str):
        return value + HOSTILE + bulk
    if isinstance(value, list):
        return [spoiled(item, bulk) for item in value]
    if isinstance(value, dict):
        # Keys that carry meaning stay beside the hostile ones.
        return {**{key: spoiled(item, bulk) for key, item in value.items()}, HOSTILE: HOSTILE}
    return value


KEPT = {
    TestFinished: {"claim", "when", "outcome", "test"},
    ClaimsSelected: {"selected", "deselected"},
}


def spoil(event: Event, bulk: str = "") -> Event:
    """The event with hostile text in every field that is free text."""
    if isinstance(event, (VramSampled, PhaseMarked)):
        return event
    kept = KEPT.get(type(event), set()) | {"test", "claim", "origin", "geometry", "samples"}
    changes = {
        field.name: spoiled(getattr(event, field.name), bulk) for field in fields(event) if field.name not in kept
    }
    return replace(event, **changes)


def events() -> list[tuple[float, Event]]:
    """A run in which every channel is hostile, and a claim fails with a hostile cause."""
    found = [(t, spoil(event)) for t, event in synthetic.events()]
    found = [(t, _failed(event)) for t, event in found]
    return [*found[:-1], (77.9, PhaseMarked(HOSTILE)), found[-1]]


def bulky() -> list[tuple[float, Event]]:
    """A run in which every text is long and hostile, and the model's story has 5 MB."""
    return [(t, _long_story(spoil(event, "B" * 2_000))) for t, event in synthetic.events()]


def _long_story(event: Event) -> Event:
    if isinstance(event, Exchanged) and STORY_PROMPT in str(event.request):
        message = {"role": "assistant", "content": HOSTILE + "B" * 5_000_000}
        return replace(event, response={"choices": [{"message": message}]})
    return event


def _failed(event: Event) -> Event:
    if isinstance(event, TestFinished) and event.claim == "vram.peak" and event.when == "call":
        return replace(event, outcome="failed", cause=f"assert 1 == 2\n{HOSTILE}\n" * 3)
    if isinstance(event, RunFinished):
        return replace(event, exit_status=1, interrupted=HOSTILE)
    return event
