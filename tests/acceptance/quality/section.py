"""The report's part on quality: a row for each server, the parts of the text, and the picture against memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fixtures.report.drawing import COLOURS, axes, dot, legend, line, svg, words
from fixtures.report.key_figures import Figure
from fixtures.report.markup import Html, grid, tag
from fixtures.report.stamp import stamps
from fixtures.report.summary import RunSummary
from fixtures.server.in_turn import HOMEWORK
from fixtures.texts import Texts
from tests.acceptance.quality.result import Quality, of_events

WIDTH: Final = 770
PANEL: Final = 300
LEFT: Final = 70
GAP: Final = 90
TOP: Final = 40
HEIGHT: Final = 170

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
    shapes = [
        shape
        for number, name in enumerate(panels)
        for shape in _panel(rows, name, texts.say(f"quality.{name}"), LEFT + number * (PANEL + GAP))
    ]
    title = words(texts.say("quality.ratio"), 8, 18, bold=True)
    names = legend([row["name"] for row in rows], LEFT, TOP + HEIGHT + 58)
    return svg([title, *shapes, *names], texts.say("quality"), WIDTH, TOP + HEIGHT + 70)


def _panel(rows: Rows, name: str, title: str, left: int) -> list[Html]:
    ratios: list[tuple[float, float, float]] = [row["perplexity_ratio"] for row in rows]
    low, high = min(0.99, *(lower for _, lower, _ in ratios)), max(1.01, *(upper for *_, upper in ratios))
    most, bottom = max(row[name] for row in rows), TOP + HEIGHT

    def at(ratio: float) -> float:
        return TOP + HEIGHT * (high - ratio) / (high - low)

    shapes = [
        *axes(left, TOP, PANEL, HEIGHT),
        line(left, at(1), left + PANEL, at(1), dashed=True),
        words(title, left + PANEL / 2, bottom + 36, anchor="middle"),
        words(f"{most:,.0f}", left + PANEL, bottom + 18, anchor="end"),
        words("0", left, bottom + 18, anchor="middle"),
        *(words(f"{one:.3f}", left - 6, at(one) + 4, anchor="end") for one in dict.fromkeys((low, 1.0, high))),
    ]
    for row, (ratio, lower, upper), colour in zip(rows, ratios, COLOURS, strict=False):
        x = left + PANEL * row[name] / most
        shapes += [line(x, at(lower), x, at(upper), colour=colour, width=2), dot(x, at(ratio), colour)]
    return shapes
