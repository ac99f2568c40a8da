"""The report's part on quality: a row for each server, the parts of the text, and the picture against memory."""

from __future__ import annotations

from fixtures.report.key_figures import Figure
from fixtures.report.markup import Html, grid, tag
from fixtures.report.stamp import stamps
from fixtures.report.summary import RunSummary
from fixtures.server.in_turn import HOMEWORK
from fixtures.texts import Texts
from tests.acceptance.quality.picture import Point, draw
from tests.acceptance.quality.result import Quality, of_events


def section(run: RunSummary, texts: Texts) -> Html | None:
    """Make the section; None where the run did not compare servers."""
    found = of_events([entry.event for entry in run.entries])
    if found is None:
        return None
    points = points_of(found)
    return tag(
        "section",
        tag("h2", texts.say("quality"), stamps(run, texts)),
        tag("p", texts.say("quality.how"), class_="note"),
        None if found.known else tag("p", texts.say("quality.unknown"), class_="absent"),
        _table(found, texts),
        draw(points, texts) if points else tag("p", texts.say("quality.no_memory"), class_="absent"),
        tag("h3", texts.say("quality.parts")),
        tag("p", texts.say("quality.parts_note"), class_="note"),
        _parts(found, texts),
        id="quality",
    )


def points_of(found: Quality) -> list[Point]:
    """Turn the servers into points of the picture; empty where memory was not measured."""
    points = []
    for one in found.measured:
        if one.vram_mib is None:
            return []
        ratio = found.ratio(one.name)
        bounds = (ratio.interval.lower, ratio.interval.upper)
        points.append(Point(one.name, ratio.value, *bounds, one.vram_mib, one.kv_tokens))
    return points


def _table(found: Quality, texts: Texts) -> Html:
    unknown = texts.say("not_measured")
    columns = ("server", "perplexity", "ratio", "agreement", "chains", "vram", "kv_tokens")
    rows = (
        (
            one.name,
            f"{found.perplexity(one.name):.4g}",
            "1" if one is found.unquantized else str(found.ratio(one.name)),
            str(found.agreement(one.name, asking=len(one.next_tokens) - 1)),
            f"{sum(one.right)} / {len(one.right)}",
            *(unknown if figure is None else f"{figure:,}" for figure in (one.vram_mib, one.kv_tokens)),
        )
        for one in found.measured
    )
    return grid((texts.say(f"quality.{column}") for column in columns), rows)


def _parts(found: Quality, texts: Texts) -> Html:
    scored = {part for part, _ in found.asked.passages}
    rows = []
    for part in found.parts:
        cells = [part, f"{100 * found.knowledge(part):.1f} %"]
        for one in found.measured:
            agreed = f"{100 * found.agreement(one.name, (part,), len(one.next_tokens) - 1).share:.1f} %"
            cells.append(f"{found.perplexity(one.name, (part,)):.4g} · {agreed}" if part in scored else f"– · {agreed}")
        rows.append(tuple(cells))
    return grid([texts.say("quality.part"), texts.say("quality.known"), *(one.name for one in found.measured)], rows)


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
