"""How fast each server answered: a table of loads, a picture, and how many long requests it answered at once."""

from __future__ import annotations

from typing import Any

from fixtures.evidence.events import PerformanceMeasured
from fixtures.report.catalogue import Texts
from fixtures.report.markup import Html, brief, tag
from fixtures.report.stamp import stamps
from fixtures.report.summary import RunSummary
from tests.acceptance.performance.picture import draw


def performance_section(run: RunSummary, texts: Texts) -> Html | None:
    """The section; None where no server was put under load."""
    servers = [event.row for event in run.all(PerformanceMeasured)]
    if not servers:
        return None
    held = [_held(row, texts) for row in servers if row["held"]]
    return tag(
        "section",
        tag("h2", texts.say("performance"), stamps(run, texts)),
        tag("p", texts.say("performance.how"), class_="note"),
        tag("p", _lengths(servers[0], texts)),
        _table(servers, texts),
        draw(servers, texts),
        *held,
        id="performance",
    )


def _lengths(row: dict[str, Any], texts: Texts) -> str:
    return texts.say("performance.lengths", prompt=row["prompt_tokens"], answer=row["answer_tokens"])


def _table(servers: list[dict[str, Any]], texts: Texts) -> Html:
    heads = (
        "performance.server",
        "performance.load",
        "performance.ttft",
        "performance.itl",
        "performance.tokens",
        "performance.requests",
    )
    rows = [
        tag(
            "tr",
            *(
                tag("td", cell)
                for cell in (
                    brief(row["name"]),
                    texts.recorded(brief(load["load"])),
                    _spread(load["ttft_ms"]),
                    _spread(load["itl_ms"]),
                    f"{load['tokens_per_s']:,.0f}",
                    f"{load['requests_per_s']:.2f}",
                )
            ),
        )
        for row in servers
        for load in row["loads"]
    ]
    head = tag("tr", *(tag("th", texts.say(id_)) for id_ in heads))
    return tag("div", tag("table", tag("thead", head), tag("tbody", *rows), class_="phases"), class_="scroll")


def _spread(ms: dict[str, float]) -> str:
    return " / ".join(f"{ms[name]:.1f}" for name in ("median", "p95", "p99"))


def _held(row: dict[str, Any], texts: Texts) -> Html:
    held = row["held"]
    name = texts.say("performance.held", tokens=held["context_tokens"])
    numbers = {name: held[name] for name in ("at_once", "asked", "longest_gap_s")}
    found = texts.say("performance.held_row", name=row["name"], **numbers)
    return tag("p", name, texts.say("colon"), found)
