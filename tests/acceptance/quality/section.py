"""What quantization left of the model: a row for each server, the parts of the text, and the picture against memory."""

from __future__ import annotations

from fixtures.report.markup import Html, tag
from fixtures.report.stamp import stamps
from fixtures.report.summary import RunSummary
from fixtures.texts import Texts
from tests.acceptance.quality.configurations import HOMEWORK as SERVED
from tests.acceptance.quality.picture import Point, draw
from tests.acceptance.quality.result import Quality, of_events


def section(run: RunSummary, texts: Texts) -> Html | None:
    """The section; None where the run did not compare servers."""
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
    """The servers as points of the picture; empty where memory was not measured."""
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
    rows: list[tuple[str, ...]] = []
    for one in found.measured:
        first = one is found.unquantized
        right = sum(one.right)
        rows.append(
            (
                one.name,
                f"{found.perplexity(one.name):.4g}",
                "1" if first else str(found.ratio(one.name)),
                str(found.agreement(one.name, asking=len(one.next_tokens) - 1)),
                f"{right} / {len(one.right)}",
                unknown if one.vram_mib is None else f"{one.vram_mib:,}",
                unknown if one.kv_tokens is None else f"{one.kv_tokens:,}",
            )
        )
    heads = ("quality.server", "quality.perplexity", "quality.ratio", "quality.agreement", "quality.chains")
    return _grid([texts.say(id_) for id_ in (*heads, "quality.vram", "quality.kv_tokens")], rows)


def _parts(found: Quality, texts: Texts) -> Html:
    scored = {part for part, _ in found.asked.passages}
    rows = []
    for part in found.parts:
        cells = [part, f"{100 * found.knowledge(part):.1f} %"]
        for one in found.measured:
            agreed = f"{100 * found.agreement(one.name, (part,), len(one.next_tokens) - 1).share:.1f} %"
            cells.append(f"{found.perplexity(one.name, (part,)):.4g} · {agreed}" if part in scored else f"– · {agreed}")
        rows.append(tuple(cells))
    return _grid([texts.say("quality.part"), texts.say("quality.known"), *(one.name for one in found.measured)], rows)


def _grid(heads: list[str], rows: list[tuple[str, ...]]) -> Html:
    return tag(
        "table",
        tag("thead", tag("tr", *(tag("th", head) for head in heads))),
        tag("tbody", *(tag("tr", *(tag("td", cell) for cell in row)) for row in rows)),
        class_="phases",
    )


def key_figures(run: RunSummary, texts: Texts) -> list[tuple[str, ...]]:
    """What the homework's server keeps of the unquantized one."""
    found = of_events([entry.event for entry in run.entries])
    if found is None or SERVED.name not in {one.name for one in found.measured}:
        return [(texts.say("quality.perplexity"), texts.say("not_measured"))]
    agreement, tasks = found.agreement(SERVED.name), found.named(SERVED.name).right
    return [
        (texts.say("quality.perplexity"), f"× {found.ratio(SERVED.name).value:.3f}", texts.say("quality.served")),
        (texts.say("quality.next_token"), f"{100 * agreement.share:.1f} %", texts.say("quality.served")),
        (texts.say("quality.chains"), f"{sum(tasks)} / {len(tasks)}", texts.say("quality.served_chains")),
    ]
