"""The report's part on other entry points: what a person types or opens, what was seen then, with a picture if any."""

import base64
from typing import Final

from fixtures.errors import said
from fixtures.judge.verdict import ClaimVerdict, judge_claim
from fixtures.report.figures import gib
from fixtures.report.key_figures import Figure
from fixtures.report.markup import Html, brief, cap, tag
from fixtures.report.stamp import stamps
from fixtures.report.summary import RunSummary
from fixtures.run.claims import of_suite, title
from fixtures.texts import Texts
from tests.acceptance.entry_points.events import EntryPointTried

SHOWN: Final = 3_000
"""Characters of what was seen; the whole of it is in events.jsonl."""
JPEG: Final = b"\xff\xd8\xff"
"""How the file begins: nothing else is shown as a picture."""


def section(run: RunSummary, texts: Texts) -> Html | None:
    """Make the section; None where no entry point was tried."""
    tried = run.all(EntryPointTried)
    if not tried:
        return None
    rehearsal = run.started is not None and run.started.rehearsal
    seen = {event.claim for event in tried}
    judged = (judge_claim(run.happened, claim, rehearsal) for claim in of_suite("entry_points") if claim.id not in seen)
    return tag(
        "section",
        tag("h2", texts.say("entry_points"), stamps(run, texts)),
        tag("p", texts.say("entry_points.how"), class_="note"),
        *(_tried(event, texts) for event in tried),
        *(_not_tried(verdict, texts) for verdict in judged if verdict.cause),
        id="entry_points",
    )


def _tried(event: EntryPointTried, texts: Texts) -> Html:
    memory = gib(event.vram_mib) if event.vram_mib is not None else ""
    aside = " · ".join(filter(None, (f"{event.seconds:g} s", memory, brief(texts.tell(event.note)))))
    name, jpeg = title(event.claim, texts), _jpeg(event)
    shown = f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')}"
    return tag(
        "div",
        tag("p", name, " ", tag("span", aside, class_="aside"), class_="command-title"),
        tag("pre", brief(event.command)),
        tag("pre", cap(event.transcript, SHOWN, texts.say("cut"))),
        tag("img", src=shown, alt=name) if jpeg else None,
        class_="command",
    )


def _jpeg(event: EntryPointTried) -> bytes:
    """Return the picture; empty where there is none, or something else in its place."""
    try:
        found = base64.b32decode(event.picture)
    except ValueError:
        return b""
    return found if found.startswith(JPEG) else b""


def _not_tried(verdict: ClaimVerdict, texts: Texts) -> Html:
    """Show one whose test ran into something before it saw anything: the cause, or what replaces it in the version."""
    state = tag("span", texts.say(f"state.{verdict.state}"), class_=f"state {verdict.state}")
    replaced = f"{verdict.claim.id}.instead"
    told = tag("pre", cap(said(verdict.cause, texts), SHOWN, texts.say("cut")))
    if verdict.state == "not_offered" and texts.has(replaced):
        told = tag("p", texts.say(replaced), class_="note")
    heading = tag("p", title(verdict.claim.id, texts), " ", state, class_="command-title")
    return tag("div", heading, told, class_="command")


def key_figures(run: RunSummary, texts: Texts) -> list[Figure]:
    """How many entry points there are, and what the terminal chats took."""
    there = [claim for claim in run.verdict.claims if claim.state not in ("not_offered", "needs_gpu")]
    lacking = texts.say("lacking", n=run.verdict.lacking) if run.verdict.lacking else ""
    figures = [Figure(texts.say("entry_points.opened"), f"{run.verdict.passed} / {len(there)}", lacking)]
    taken = [event.vram_mib for event in run.all(EntryPointTried) if event.vram_mib is not None]
    if taken:
        figures.append(Figure(texts.say("entry_points.vram"), ", ".join(gib(mib) for mib in taken)))
    return figures
