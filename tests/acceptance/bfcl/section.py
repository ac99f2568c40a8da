"""The report's part on BFCL: scores, comparisons question by question, what differs, and the picture."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from fixtures.report.drawing import COLOURS, line, svg, words
from fixtures.report.key_figures import Figure
from fixtures.report.markup import Html, brief, grid, tag
from fixtures.report.stamp import stamps
from fixtures.report.summary import RunSummary
from fixtures.server.in_turn import BF16
from fixtures.texts import Texts, read_toml
from tests.acceptance.bfcl.result import APART, GREEDY, JUDGED, Comparison, of_events

OFFICIAL: Final = Path(__file__).with_name("official.toml")
FLIPS_SHOWN: Final = 20
COLUMNS: Final = ("server", "sampling", "mean")

LEFT: Final = 150
WIDE: Final = 480
ROW: Final = 34


def section(run: RunSummary, texts: Texts) -> Html | None:
    """Make the section; None where the run did not ask."""
    found = of_events([entry.event for entry in run.entries])
    if found is None:
        return None
    asked, kept = found.asked, sum(one.kept for one in found.answered)
    counts = ", ".join(f"{kind} ×{count}" for kind, count in asked.converted.items())
    truth, planted = (_of(controls) for controls in (asked.truth, asked.planted))
    notes = [texts.say("bfcl.how", package=asked.package, max_tokens=asked.max_tokens)]
    notes += [texts.say("bfcl.sampled_few", sample=asked.sample)] if asked.sample else []
    notes += [texts.say("bfcl.converted", counts=counts), texts.say("bfcl.controls", truth=truth, planted=planted)]
    notes += [texts.say("bfcl.kept_before", kept=kept)] if kept else []
    return tag(
        "section",
        tag("h2", texts.say("bfcl"), stamps(run, texts)),
        *(tag("p", note, class_="note") for note in notes),
        _scores(found, texts),
        tag("p", texts.say("bfcl.mean_note"), class_="note"),
        tag("p", texts.say("bfcl.silent_note"), class_="note"),
        draw([row for row in found.rows() if row["sampling"] == GREEDY], texts),
        tag("h3", texts.say("bfcl.pairs")),
        tag("p", texts.say("bfcl.pairs_note"), class_="note"),
        _pairs(found, texts),
        *(_flips(found, name, asking, texts) for name in found.names if name != BF16.title for asking in JUDGED),
        *_official(run.verdict.name, found, texts),
        id="bfcl",
    )


def _of(counts: Mapping[str, Sequence[int]]) -> str:
    return f"{sum(held for held, _ in counts.values())} / {sum(of for _, of in counts.values())}"


def _scores(found: Comparison, texts: Texts) -> Html:
    rows = []
    for one in found.answered:
        counts, mean = Counter(one.outcomes), found.mean(one)
        cells = (found.outcomes(one, [category]) for category in found.asked.categories)
        row = [one.name, texts.say(f"bfcl.{one.asking}"), "–" if mean is None else f"{100 * mean:.1f} %"]
        row += [str(outcomes.count("right")) for outcomes in cells]
        rows.append([*row, *(counts[outcome] for outcome in APART), "{} / {}".format(*found.empty(one))])
    first, last = (map(texts.say, (f"bfcl.{name}" for name in names)) for names in (COLUMNS, (*APART, "silent")))
    categories = (f"{name} / {count}".replace("_", "_\u200b") for name, count in found.asked.categories.items())
    return grid([*first, *categories, *last], rows, "numbers")


def _pairs(found: Comparison, texts: Texts) -> Html:
    rows = []
    for one in found.pairs():
        right = f"{one['right']} / {one['n']} ({texts.say('bfcl.of_bf16', before=one['control'])})"
        points = f"{one['cost']:.1f} [{one['lower']:.1f}, {one['upper']:.1f}]"
        only = f"{one['control_only']} / {one['quantized_only']}"
        told = (texts.say(f"bfcl.{one[name]}") for name in ("sampling", "group"))
        rows.append((one["served"], *told, right, points, only, f"{one['p']:.2g}"))
    columns = ("server", "sampling", "group", "right", "points", "only", "p")
    return grid((texts.say(f"bfcl.{column}") for column in columns), rows, "numbers")


def _flips(found: Comparison, name: str, asking: str, texts: Texts) -> Html | None:
    flips = found.flips(name, asking)
    if not flips:
        return None
    sampling = texts.say(f"bfcl.{asking}")
    told = texts.say("bfcl.flips", name=name, sampling=sampling, count=len(flips))
    shown = flips[:: -(-len(flips) // FLIPS_SHOWN)]
    more = texts.say("bfcl.flips_more", shown=len(shown)) if len(flips) > len(shown) else None
    rows = []
    for flip in shown:
        both = zip(flip["outcomes"], (brief(said) or texts.say("bfcl.empty") for said in flip["replies"]), strict=True)
        cells = (f"{texts.say(f'bfcl.{outcome}')}{texts.say('colon')}{reply}" for outcome, reply in both)
        rows.append([flip["id"], *cells])
    return tag(
        "details",
        tag("summary", told),
        tag("p", more, class_="note") if more else None,
        grid((texts.say("bfcl.question"), *(f"{server}, {sampling}" for server in (BF16.title, name))), rows),
    )


def official(name: str) -> list[dict[str, Any]]:
    """Scores that BFCL has published of a model, or of its relatives."""
    return [one for one in read_toml(OFFICIAL)["score"] if all(word in name.lower() for word in one["fits"])]


def _official(name: str, found: Comparison, texts: Texts) -> list[Html]:
    scores = official(name)
    if not scores:
        return []
    itself = any(one["model"].partition(" ")[0].lower() == name.lower() for one in scores)
    other = "" if itself else texts.say("bfcl.official_none", name=brief(name))
    categories = list(found.asked.categories)
    rows = (
        [f"{one['model']}, {one['date']}", *(f"{one[name]:.2f} %" if name in one else "–" for name in categories)]
        for one in scores
    )
    sources = dict.fromkeys(one["source"] for one in scores)
    return [
        tag("h3", texts.say("bfcl.official")),
        tag("p", texts.say("bfcl.official_note", other=other), class_="note"),
        grid([texts.say("bfcl.server"), *categories], rows, "numbers"),
        *(tag("p", texts.say("bfcl.source"), texts.say("colon"), tag("code", source)) for source in sources),
    ]


def key_figures(run: RunSummary, texts: Texts) -> list[Figure]:
    """The mean of the calls on each server, greedy."""
    found = of_events([entry.event for entry in run.entries])
    if found is None:
        return [Figure(texts.say("bfcl.mean"), texts.say("not_measured"))]
    means = ((one.name, found.mean(one)) for one in found.answered if one.asking == GREEDY)
    return [Figure(name, f"{100 * mean:.1f} %", texts.say("bfcl.mean")) for name, mean in means if mean is not None]


def draw(rows: Sequence[Mapping[str, Any]], texts: Texts) -> Html:
    """Draw rows of the record, of one decoding: a line for each category, a dot for each server."""
    colours = dict(zip(dict.fromkeys(row["served"] for row in rows), COLOURS, strict=False))
    categories = list(dict.fromkeys(row["category"] for row in rows))
    bottom = 30 + ROW * len(categories)
    shapes = [words(texts.say("bfcl.drawn"), LEFT, 14, bold=True)]
    for percent in range(0, 101, 25):
        x = LEFT + WIDE * percent / 100
        shapes += [line(x, 22, x, bottom), words(f"{percent} %", x, bottom + 16, anchor="middle")]
    for number, category in enumerate(categories):
        y = 30 + ROW * (number + 0.5)
        shapes.append(words(category, LEFT - 10, y + 4, anchor="end"))
        for lane, row in enumerate(row for row in rows if row["category"] == category):
            x, at = LEFT + WIDE * row["k"] / row["n"], y + 6 * (lane - 1.5)
            shapes.append(tag("circle", cx=round(x, 1), cy=round(at, 1), r=4, fill=colours[row["served"]]))
    for number, (name, colour) in enumerate(colours.items()):
        shapes.append(words(f"● {name}", 10 + 160 * number, bottom + 40, colour=colour))
    return svg(shapes, texts.say("bfcl"), LEFT + WIDE + 40, bottom + 52)
