"""Text that tries to break out of a page, and a run that has it in every channel."""

from dataclasses import fields, replace
from typing import Any

from fixtures.evidence import Evidence
from fixtures.evidence.events import (
    ClaimsSelected,
    Entry,
    Event,
    Exchanged,
    PhaseMarked,
    RunFinished,
    RunStarted,
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

KEPT = {"test", "claim", "origin", "geometry", "samples", "when", "outcome", "selected", "deselected"}
"""Fields that decide which events belong together and what they count for."""


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


def spoil(event: Event, bulk: str = "") -> Event:
    """The event with hostile text in every field that is free text."""
    if isinstance(event, (VramSampled, PhaseMarked)):
        return event
    changes = {one.name: spoiled(getattr(event, one.name), bulk) for one in fields(event) if one.name not in KEPT}
    if isinstance(event, TestFinished) and event.claim == "vram.peak" and event.when == "call":
        changes |= {"outcome": "failed", "cause": f"assert 1 == 2\n{HOSTILE}\n" * 3}
    if isinstance(event, RunFinished):
        changes |= {"exit_status": 1, "interrupted": HOSTILE}
    if bulk and isinstance(event, Exchanged) and STORY_PROMPT in str(event.request):
        message = {"role": "assistant", "content": HOSTILE + "B" * 5_000_000}
        changes["response"] = {"choices": [{"message": message}]}
    return replace(event, **changes)


def entries() -> list[Entry]:
    """A run in which every channel is hostile, and a claim fails with a hostile cause."""
    log = synthetic.changed(spoil)
    return [*log[:-1], replace(log[-2], event=PhaseMarked(HOSTILE)), log[-1]]


def deploy(evidence: Evidence) -> None:
    """Log what a deployment logs, with every text long and hostile, and a story of 5 MB."""
    for entry in synthetic.without(RunStarted, ClaimsSelected, TestFinished, RunFinished):
        evidence.append(spoil(entry.event, "B" * 2_000))
