"""The report's part on servers under load: a table of loads, a picture, and how many long requests were held."""

import math
from collections.abc import Sequence
from typing import Any, Final

from fixtures.report.drawing import CHARTS, COLOURS, Chart, charts
from fixtures.report.key_figures import Figure
from fixtures.report.markup import Html, brief, grid, tag
from fixtures.report.stamp import stamps
from fixtures.report.summary import RunSummary
from fixtures.server.in_turn import HOMEWORK
from fixtures.texts import Texts
from tests.acceptance.performance.checks import told
from tests.acceptance.performance.events import PerformanceMeasured

COLUMNS: Final = ("server", "load", "ttft", "itl", "tokens", "requests")
SPREAD: Final = ("median", "p95", "p99")

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
        *(tag("p", texts.say("performance.checks", **told(row))) for row in servers if "checks" in row),
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

    tokens, ttft = CHARTS
    shapes = [
        *_chart(tokens, curves("tokens_per_s"), [], texts.say("performance.tokens"), texts),
        *_chart(ttft, curves("ttft_ms", "median"), curves("ttft_ms", "p95"), texts.say("performance.ttft"), texts),
    ]
    return charts(shapes, names, texts.say("performance"))


def _chart(chart: Chart, curves: Sequence[Curve], upper: Sequence[Curve], title: str, texts: Texts) -> list[Html]:
    """Draw users on a logarithmic scale; `upper` is drawn thinly above each curve."""
    users = sorted({x for curve in curves for x, _ in curve})
    top = max(y for curve in (*curves, *upper) for _, y in curve)

    def place(x: float, y: float) -> tuple[float, float]:
        return math.log(x / users[0]) / math.log(users[-1] / users[0]), y / top

    across = {f"{x:g}": place(x, 0)[0] for x in users}
    shapes = chart.frame(title, texts.say("performance.users"), across, {"0": 0, f"{top:,.0f}": 1})
    for curve, colour in zip(upper, COLOURS, strict=False):
        shapes.append(chart.curve([place(*point) for point in curve], colour, dashed=True))
    for curve, colour in zip(curves, COLOURS, strict=False):
        places = [place(*point) for point in curve]
        shapes += [chart.curve(places, colour), *(chart.dot(one, colour) for one in places)]
    return shapes
