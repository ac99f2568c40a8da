"""The other doors: what a person types or opens, what was seen then, and a picture where there is one."""

from __future__ import annotations

import base64
from typing import Final

from fixtures.judge.verdict import ClaimVerdict, judge_claim
from fixtures.report.figures import gib
from fixtures.report.markup import Html, brief, cap, tag
from fixtures.report.stamp import stamps
from fixtures.report.summary import RunSummary
from fixtures.run.claims import of_suite, title
from fixtures.texts import Texts
from tests.acceptance.entry_points.events import DoorTried

SHOWN: Final = 3_000
"""Characters of what was seen; the whole of it is in events.jsonl."""
INSTEAD: Final = {"doors.api_client": "doors.instead_of_api_client", "doors.gradio": "doors.instead_of_gradio"}
"""Texts about the doors that later versions of lmdeploy dropped: since when, and what takes their place."""
JPEG: Final = b"\xff\xd8\xff"
"""How the file begins: nothing else is shown as a picture."""


def section(run: RunSummary, texts: Texts) -> Html | None:
    """The section; None where no door was tried."""
    doors = run.all(DoorTried)
    if not doors:
        return None
    return tag(
        "section",
        tag("h2", texts.say("doors"), stamps(run, texts)),
        tag("p", texts.say("doors.how"), class_="note"),
        *(_door(door, texts) for door in doors),
        *(_shut(verdict, texts) for verdict in _not_tried(run, {door.claim for door in doors})),
        id="doors",
    )


def _not_tried(run: RunSummary, tried: set[str]) -> list[ClaimVerdict]:
    """Doors whose tests ran into something before they saw anything: with the cause."""
    rehearsal = run.started is not None and run.started.rehearsal
    judged = (
        judge_claim(run.happened, claim, rehearsal) for claim in of_suite("entry_points") if claim.id not in tried
    )
    return [verdict for verdict in judged if verdict.cause]


def _shut(verdict: ClaimVerdict, texts: Texts) -> Html:
    """A door that was not opened: what replaces it where the version dropped it, else the cause."""
    claim = verdict.claim.id
    replaced = INSTEAD.get(claim) if verdict.state == "not_offered" else None
    return tag(
        "div",
        tag(
            "p",
            title(claim, texts),
            " ",
            tag("span", texts.say(f"state.{verdict.state}"), class_=f"state {verdict.state}"),
            class_="command-title",
        ),
        tag("p", texts.say(replaced), class_="note")
        if replaced
        else tag("pre", cap(texts.tell(verdict.cause), SHOWN, texts.say("cut"))),
        class_="command",
    )


def _door(door: DoorTried, texts: Texts) -> Html:
    memory = f"{door.vram_mib:,} MiB" if door.vram_mib is not None else ""
    aside = " · ".join(filter(None, (f"{door.seconds:g} s", memory, texts.tell(brief(door.note)))))
    return tag(
        "div",
        tag("p", title(door.claim, texts), " ", tag("span", aside, class_="aside"), class_="command-title"),
        tag("pre", brief(door.command)),
        tag("pre", cap(door.transcript, SHOWN, texts.say("cut"))),
        _picture(door, texts),
        class_="command",
    )


def _picture(door: DoorTried, texts: Texts) -> Html | None:
    try:
        jpeg = base64.b32decode(door.picture)
    except ValueError:
        return None
    if not jpeg.startswith(JPEG):
        return None
    shown = base64.b64encode(jpeg).decode("ascii")
    return tag("img", src=f"data:image/jpeg;base64,{shown}", alt=title(door.claim, texts))


def key_figures(run: RunSummary, texts: Texts) -> list[tuple[str, ...]]:
    """How many doors there are, and what the terminal chats took."""
    there = [claim for claim in run.verdict.claims if claim.state not in ("not_offered", "needs_gpu")]
    lacking = texts.say("lacking", n=run.verdict.lacking) if run.verdict.lacking else ""
    figures = [(texts.say("doors.opened"), f"{run.verdict.passed} / {len(there)}", lacking)]
    taken = [door.vram_mib for door in run.all(DoorTried) if door.vram_mib is not None]
    if taken:
        figures.append((texts.say("doors.vram"), ", ".join(gib(mib) for mib in taken)))
    return figures
