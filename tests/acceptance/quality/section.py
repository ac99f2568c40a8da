"""The report's part on quality: a row for each server, the parts of the text, and the picture against memory."""

from collections.abc import Mapping, Sequence
from typing import Any

from fixtures.report.drawing import CHARTS, COLOURS, GREY, Chart, charts
from fixtures.report.key_figures import Figure
from fixtures.report.markup import Html, grid, tag
from fixtures.report.stamp import stamps
from fixtures.report.summary import RunSummary
from fixtures.server.in_turn import HOMEWORK
from fixtures.texts import Texts
from tests.acceptance.quality.result import Quality, of_events

Rows = Sequence[Mapping[str, Any]]
"""Servers as the record has them, each with its details."""


def section(run: RunSummary, texts: Texts) -> Html | None:
    """Make the section; None where the run did not compare servers."""
    found = of_events([entry.event for entry in run.entries])
    if found is None:
        return None
    rows = [{**found.row(one.name), **found.details(one.name)} for one in found.measured]
    return tag(
        "section",
        tag("h2", texts.say("quality"), stamps(run, texts)),
        tag("p", texts.say("quality.how"), class_="note"),
        None if found.known else tag("p", texts.say("quality.unknown"), class_="absent"),
        _table(found, texts),
        draw(rows, texts) or tag("p", texts.say("quality.no_memory"), class_="absent"),
        tag("h3", texts.say("quality.parts")),
        tag("p", texts.say("quality.parts_note"), class_="note"),
        _parts(found, texts),
        id="quality",
    )


def _table(found: Quality, texts: Texts) -> Html:
    unknown = texts.say("not_measured")
    columns = ("server", "perplexity", "ratio", "agreement", "chains", "vram_mib", "kv_tokens")
    rows = (
        (
            one.name,
            f"{found.perplexity(one.name):.4g}",
            "1" if one is found.unquantized else str(found.ratio(one.name)),
            str(found.agreement(one.name)),
            f"{sum(one.right)} / {len(one.right)}",
            *(unknown if figure is None else f"{figure:,}" for figure in (one.vram_mib, one.kv_tokens)),
        )
        for one in found.measured
    )
    return grid((texts.say(f"quality.{column}") for column in columns), rows)


def _parts(found: Quality, texts: Texts) -> Html:
    scored = {part for part, _ in found.asked.passages}

    def cell(name: str, part: str) -> str:
        shown = f"{found.perplexity(name, (part,)):.4g}" if part in scored else "–"
        return f"{shown} · {100 * found.agreement(name, (part,)).share:.1f} %"

    names = [one.name for one in found.measured]
    rows = (
        [part, f"{100 * found.knowledge(part):.1f} %", *(cell(name, part) for name in names)] for part in found.parts
    )
    return grid([texts.say("quality.part"), texts.say("quality.known"), *names], rows)


def key_figures(run: RunSummary, texts: Texts) -> list[Figure]:
    """What the homework's server keeps of the unquantized one."""
    found, name = of_events([entry.event for entry in run.entries]), HOMEWORK.title
    if found is None or name not in {one.name for one in found.measured}:
        return [Figure(texts.say("quality.perplexity"), texts.say("not_measured"))]
    share, chains = found.agreement(name).share, found.named(name).right
    return [
        Figure(texts.say("quality.perplexity"), f"× {found.ratio(name).value:.3f}", texts.say("quality.served")),
        Figure(texts.say("quality.next_token"), f"{100 * share:.1f} %", texts.say("quality.served")),
        Figure(texts.say("quality.chains"), f"{sum(chains)} / {len(chains)}", name),
    ]


def draw(rows: Rows, texts: Texts) -> Html | None:
    """Draw the charts; that of the tokens is left out where a server does not say them. None without memory figures."""
    if not all(row["vram_mib"] for row in rows):
        return None
    panels = [name for name in ("vram_mib", "kv_tokens") if all(row[name] for row in rows)]
    shapes = [shape for chart, name in zip(CHARTS, panels, strict=False) for shape in _chart(chart, rows, name, texts)]
    return charts(shapes, [row["name"] for row in rows], texts.say("quality"))


def _chart(chart: Chart, rows: Rows, name: str, texts: Texts) -> list[Html]:
    ratios: list[tuple[float, float, float]] = [row["perplexity_ratio"] for row in rows]
    low, high = min(0.99, *(lower for _, lower, _ in ratios)), max(1.01, *(upper for *_, upper in ratios))
    most = max(row[name] for row in rows)

    def height(ratio: float) -> float:
        return (ratio - low) / (high - low)

    up = {f"{ratio:.3f}": height(ratio) for ratio in (low, 1.0, high)}
    shapes = [
        *chart.frame(texts.say("quality.ratio"), texts.say(f"quality.{name}"), {"0": 0, f"{most:,.0f}": 1}, up),
        chart.curve([(0, height(1)), (1, height(1))], GREY, dashed=True),
    ]
    for row, (ratio, lower, upper), colour in zip(rows, ratios, COLOURS, strict=False):
        x = row[name] / most
        shapes += [
            chart.curve([(x, height(lower)), (x, height(upper))], colour),
            chart.dot((x, height(ratio)), colour),
        ]
    return shapes
