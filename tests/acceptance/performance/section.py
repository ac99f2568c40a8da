"""How fast each server answered: a table of loads, a picture, and how many long requests it answered at once."""

from __future__ import annotations

from typing import Any

from fixtures.report.markup import Html, brief, tag
from fixtures.report.stamp import stamps
from fixtures.report.summary import RunSummary
from fixtures.texts import Texts
from tests.acceptance.ladder.rungs import HOMEWORK
from tests.acceptance.performance.events import PerformanceMeasured
from tests.acceptance.performance.picture import draw


def section(run: RunSummary, texts: Texts) -> Html | None:
    """The section; None where no server was put under load."""
    servers = [event.row for event in run.all(PerformanceMeasured)]
    if not servers:
        return None
    held = [_held(row, texts) for row in servers if row["passed"]]
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
                    texts.tell(brief(load["load"])),
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
    held = row["passed"]
    name = texts.say("performance.held", tokens=held["context_tokens"])
    numbers = {name: held[name] for name in ("at_once", "asked", "longest_gap_s")}
    found = texts.say("performance.held_row", name=row["name"], **numbers)
    return tag("p", name, texts.say("colon"), found)


def key_figures(run: RunSummary, texts: Texts) -> list[tuple[str, ...]]:
    """The most that the homework's server gave, and how soon it answered a single user."""
    rows = [event.row for event in run.all(PerformanceMeasured) if event.row["name"] == HOMEWORK.id]
    users = [load for row in rows[-1:] for load in row["loads"] if load["concurrency"]]
    if not users:
        return [(texts.say("performance.tokens"), texts.say("not_measured"))]
    one, most = users[0], max(users, key=lambda load: float(load["tokens_per_s"]))
    alone, many = (texts.tell(brief(load["load"])) for load in (one, most))
    return [
        (texts.say("performance.tokens"), f"{most['tokens_per_s']:,.0f}", many),
        (texts.say("performance.ttft_alone"), f"{one['ttft_ms']['median']:.1f} ms", alone),
        (texts.say("performance.itl_alone"), f"{one['itl_ms']['median']:.1f} ms", alone),
    ]
