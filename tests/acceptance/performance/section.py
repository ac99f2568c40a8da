"""The report's part on servers under load: a table of loads, a picture, and how many long requests were held."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from fixtures.report.drawing import COLOURS, axes, dot, legend, svg, words
from fixtures.report.key_figures import Figure
from fixtures.report.markup import Html, brief, grid, tag
from fixtures.report.stamp import stamps
from fixtures.report.summary import RunSummary
from fixtures.server.in_turn import HOMEWORK
from fixtures.texts import Texts
from tests.acceptance.performance.events import PerformanceMeasured

COLUMNS: Final = ("server", "load", "ttft", "itl", "tokens", "requests")
SPREAD: Final = ("median", "p95", "p99")

WIDTH: Final = 760
PANEL: Final = 290
LEFT: Final = 64
GAP: Final = 96
TOP: Final = 40
HEIGHT: Final = 180

Curve = Sequence[tuple[float, float]]


def section(run: RunSummary, texts: Texts) -> Html | None:
    """Make the section; None where no server was put under load."""
    servers = [event.row for event in run.all(PerformanceMeasured)]
    if not servers:
        return None
    lengths = {"prompt": servers[0]["prompt_tokens"], "answer": servers[0]["answer_tokens"]}
    return tag(
        "section",
        tag("h2", texts.say("performance"), stamps(run, texts)),
        tag("p", texts.say("performance.how"), class_="note"),
        tag("p", texts.say("performance.lengths", **lengths)),
        grid(
            (texts.say(f"performance.{name}") for name in COLUMNS),
            (_cells(row["name"], load, texts) for row in servers for load in row["loads"]),
        ),
        draw(servers, texts),
        *(tag("p", texts.say("performance.held", name=row["name"], **row["held"])) for row in servers if row["held"]),
        id="performance",
    )


def _cells(name: str, load: dict[str, Any], texts: Texts) -> tuple[str, ...]:
    spreads = (" / ".join(f"{load[kind][part]:.1f}" for part in SPREAD) for kind in ("ttft_ms", "itl_ms"))
    rates = (f"{load['tokens_per_s']:,.0f}", f"{load['requests_per_s']:.2f}")
    return (brief(name), brief(texts.tell(load["load"])), *spreads, *rates)


def key_figures(run: RunSummary, texts: Texts) -> list[Figure]:
    """The most that the homework's server gave, and how soon it answered a single user."""
    rows = [event.row for event in run.all(PerformanceMeasured) if event.row["name"] == HOMEWORK.id]
    users = [load for row in rows[-1:] for load in row["loads"] if load["concurrency"]]
    if not users:
        return [Figure(texts.say("performance.tokens"), texts.say("not_measured"))]
    one, most = users[0], max(users, key=lambda load: float(load["tokens_per_s"]))
    alone, many = (brief(texts.tell(load["load"])) for load in (one, most))
    return [
        Figure(texts.say("performance.tokens"), f"{most['tokens_per_s']:,.0f}", many),
        Figure(texts.say("performance.ttft_alone"), f"{one['ttft_ms']['median']:.1f} ms", alone),
        Figure(texts.say("performance.itl_alone"), f"{one['itl_ms']['median']:.1f} ms", alone),
    ]


def draw(servers: Sequence[dict[str, Any]], texts: Texts) -> Html | None:
    """Draw the charts; None where no server met at least two numbers of users."""
    names = [brief(row["name"]) for row in servers]
    users = [[load for load in row["loads"] if load["concurrency"]] for row in servers]
    if any(len(loads) < 2 for loads in users):
        return None

    def curves(figure: str, part: str = "") -> list[Curve]:
        values = [[(load["concurrency"], load[figure]) for load in loads] for loads in users]
        return [[(x, y[part] if part else y) for x, y in curve] for curve in values]

    second = LEFT + PANEL + GAP
    shapes = [
        *_panel(curves("tokens_per_s"), [], texts.say("performance.tokens"), texts, LEFT),
        *_panel(curves("ttft_ms", "median"), curves("ttft_ms", "p95"), texts.say("performance.ttft"), texts, second),
        *legend(names, LEFT, TOP + HEIGHT + 58),
    ]
    return svg(shapes, texts.say("performance"), WIDTH, TOP + HEIGHT + 70)


def _panel(curves: Sequence[Curve], upper: Sequence[Curve], title: str, texts: Texts, left: int) -> list[Html]:
    """Draw users on a logarithmic scale; `upper` is drawn thinly above each curve."""
    users = sorted({x for curve in curves for x, _ in curve})
    top = max(y for curve in (*curves, *upper) for _, y in curve)
    bottom = TOP + HEIGHT

    def at(point: tuple[float, float]) -> tuple[float, float]:
        x = (math.log(point[0]) - math.log(users[0])) / (math.log(users[-1]) - math.log(users[0]))
        return round(left + PANEL * x, 1), round(bottom - HEIGHT * point[1] / top, 1)

    shapes = [
        *axes(left, TOP, PANEL, HEIGHT),
        words(title, left, TOP - 16, bold=True),
        words(f"{top:,.0f}", left - 6, TOP + 4, anchor="end"),
        words("0", left - 6, bottom + 4, anchor="end"),
        words(texts.say("performance.users"), left + PANEL / 2, bottom + 36, anchor="middle"),
        *(words(f"{x:g}", at((x, 0))[0], bottom + 18, anchor="middle") for x in users),
    ]
    for curve, colour in zip(upper, COLOURS, strict=False):
        shapes.append(_line([at(point) for point in curve], colour, 1))
    for curve, colour in zip(curves, COLOURS, strict=False):
        points = [at(point) for point in curve]
        shapes += [_line(points, colour, 2), *(dot(x, y, colour) for x, y in points)]
    return shapes


def _line(points: Curve, colour: str, width: int) -> Html:
    path = " ".join(f"{x},{y}" for x, y in points)
    dashes = "4 3" if width == 1 else None
    return tag("polyline", points=path, fill="none", stroke=colour, stroke_width=width, stroke_dasharray=dashes)
