"""The report's part on a run of the memory ladder: picture, figures, formula, a start that failed."""

from collections.abc import Mapping
from typing import Any, Final

from fixtures.errors import said
from fixtures.evidence.events import VramExpected
from fixtures.gpu.memory_model import formula
from fixtures.report.drawing import COLOURS, line, svg, words
from fixtures.report.key_figures import Figure
from fixtures.report.markup import Html, brief, cap, grid, scrolled, tag
from fixtures.report.stamp import stamps
from fixtures.report.summary import RunSummary
from fixtures.run.units import GIB_IN_MIB as GIB
from fixtures.server.in_turn import BF16, BF16_INT4, Configuration
from fixtures.texts import LANGUAGES, Texts
from tests.acceptance.ladder.events import RungClimbed, StartFailed

MIB_COLUMNS: Final = ("idle_mib", "loaded_mib", "ready_mib", "peak_mib", "released_mib", "model_mib")
TOKEN_COLUMNS: Final = ("kv_tokens", "kv_tokens_model", "kv_tokens_held")
"""Fields of a rung's row; their titles are the texts `ladder.<field>`."""

PARTS: Final = dict(zip(("weights", "kv", "rest"), (*COLOURS[:2], "#8a8a8a"), strict=True))
"""Parts of a server's memory with their colours."""

WIDTH: Final = 760
LEFT: Final = 150
BAR_WIDTH: Final = 330
TOKENS_AT: Final = LEFT + BAR_WIDTH + 124
TOP: Final = 78
ROW: Final = 58
BAR: Final = 18


def section(run: RunSummary, texts: Texts) -> Html | None:
    """Make the section; it says so where the ladder was climbed and nothing was measured."""
    rows = rungs(run)
    if not rows and run.suite.id != "ladder":
        return None
    heading = tag("h2", texts.say("ladder"), stamps(run, texts))
    if not rows:
        return tag("section", heading, tag("p", texts.say("ladder.nothing"), class_="absent"), id="ladder")
    gpu = run.environment.gpu if run.environment else ""
    return tag(
        "section",
        heading,
        scrolled(draw({"gpu": gpu, "rows": rows}, texts), texts.say("ladder")),
        tag("h3", texts.say("ladder.figures")),
        grid(
            [texts.say(id_) for id_ in ("ladder.server", *(f"ladder.{name}" for name in MIB_COLUMNS + TOKEN_COLUMNS))],
            ([row["name"], *(f"{row[name]:,.0f}" for name in MIB_COLUMNS + TOKEN_COLUMNS)] for row in rows),
            class_="rungs",
        ),
        _formula(texts),
        _arithmetic(run, texts),
        *(part for event in run.all(StartFailed) for part in _failed_start(event, texts)),
        id="ladder",
    )


def _formula(texts: Texts) -> Html:
    """Explain it in plain words, in the page's language and then in the others."""
    shown = [tag("h3", texts.say("ladder.why"))]
    for found in (texts, *(Texts(language) for language in LANGUAGES if language != texts.language)):
        shown += [tag("p", told, lang=found.language) for told in (*formula(found), found.say("ladder.formula"))]
    return tag("div", *shown, class_="words")


def _arithmetic(run: RunSummary, texts: Texts) -> Html:
    lines = (tag("li", tag("code", "; ".join(formula(texts, event.terms)))) for event in run.all(VramExpected))
    return tag("details", tag("summary", texts.say("ladder.arithmetic")), tag("ul", *lines))


def _failed_start(event: StartFailed, texts: Texts) -> list[Html]:
    return [
        tag("h3", texts.say("ladder.failed_start")),
        tag("p", texts.say("ladder.failed_start_told", **event.facts)),
        tag("pre", cap(said(event.facts["error"], texts), 2_000, texts.say("cut"))),
    ]


def key_figures(run: RunSummary, texts: Texts) -> list[Figure]:
    """How right the memory model is, and what int4 KV buys and does not save."""
    rows = rungs(run)
    figures = [Figure(texts.say("ladder.rungs"), str(len(rows)))]
    if rows:
        residual = max(abs(row["ready_mib"] - row["model_mib"]) for row in rows)
        figures.append(Figure(texts.say("ladder.residual"), f"{residual:.0f} MiB"))
    by_name = {row["name"]: row for row in rows}
    wide, narrow = by_name.get(BF16.id), by_name.get(BF16_INT4.id)
    if wide and narrow:
        ratio = texts.say("ladder.of_16_bit", ratio=narrow["kv_tokens"] / wide["kv_tokens"])
        saved = f"{wide['ready_mib'] - narrow['ready_mib']:.0f} MiB"
        figures += [
            Figure(texts.say("ladder.int4_tokens"), f"{narrow['kv_tokens']:,}", ratio),
            Figure(texts.say("ladder.int4_saves"), saved, texts.say("ladder.at_equal_share")),
        ]
    return figures


def console(run: RunSummary, texts: Texts) -> list[str]:
    """Tell each rung in a line."""
    return [texts.say("ladder.console", **row) for row in rungs(run)]


def rungs(run: RunSummary) -> list[dict[str, Any]]:
    """Return the rungs as rows of the ladder's record, in the order in which they were climbed."""
    return [event.row for event in run.all(RungClimbed)]


def measured_parts(row: Mapping[str, Any]) -> dict[str, float]:
    """Return what was measured, MiB, by part. The cache is as large as the server said; where it did not, all that came
    after the weights counts as cache. The weights are the model's: the driver does not tell them from the rest."""
    own = row["ready_mib"] - row["idle_mib"]
    weights = row["model_parts_mib"]["weights"]
    kv = row["kv_mib"] if row["kv_mib"] is not None else row["ready_mib"] - row["loaded_mib"]
    return {"weights": weights, "kv": kv, "rest": own - weights - kv}


def draw(record: Mapping[str, Any], texts: Texts) -> Html:
    """Draw a record's `rows`, under the name of its `gpu`."""
    rows, title = record["rows"], texts.say("ladder.drawn", gpu=brief(record["gpu"]))
    longest = max(max(row["ready_mib"], row["model_mib"]) - row["idle_mib"] for row in rows)
    height = TOP + ROW * len(rows) + 26
    shapes = [words(title, 10, 26, bold=True), words(texts.say("ladder.drawn_tokens"), TOKENS_AT, 52)]
    for number, (part, colour) in enumerate(PARTS.items()):
        x = LEFT + 110 * number
        shapes += [tag("rect", x=x, y=42, width=12, height=12, fill=colour)]
        shapes += [words(texts.say(f"ladder.part.{part}"), x + 17, 52)]
    step = next(gib for gib in (1, 2, 5, 10, 20, 50, 100) if longest / GIB / gib <= 8)
    for gib in range(0, int(longest / GIB) + 1, step):
        x = LEFT + gib * GIB * BAR_WIDTH / longest
        shapes += [line(x, TOP - 8, x, height - 22), words(f"{gib} GiB", x, height - 8, anchor="middle")]
    for number, row in enumerate(rows):
        shapes += _row(row, TOP + ROW * number, BAR_WIDTH / longest, texts)
    return svg(shapes, title, WIDTH, height)


def _row(row: Mapping[str, Any], y: float, scale: float, texts: Texts) -> list[Html]:
    weights, share = Configuration(row["weights"]).title, texts.say("ladder.share", share=row["share"])
    cache = f"int{row['quant_policy']} KV" if row["quant_policy"] else texts.say("ladder.16_bit")
    card = f", {texts.say('ladder.card', gib=row['card_gib'])}" if row["card_gib"] else ""
    model = texts.say("ladder.modelled")
    return [
        words(f"{weights}, {share}", LEFT - 10, y + 14, anchor="end"),
        words(f"{cache}{card}", LEFT - 10, y + 32, anchor="end"),
        *_bar(measured_parts(row), y, scale, 1.0, texts.say("ladder.measured")),
        *_bar(row["model_parts_mib"], y + BAR + 3, scale, 0.45, model),
        words(texts.say("ladder.tokens", tokens=row["kv_tokens"]), TOKENS_AT, y + 14),
        words(f"{model}{texts.say('colon')}{row['kv_tokens_model']:,}", TOKENS_AT, y + 32),
    ]


def _bar(parts: Mapping[str, float], y: float, scale: float, opacity: float, label: str) -> list[Html]:
    shapes, x = [], float(LEFT)
    for part, colour in PARTS.items():
        width = max(0.0, parts[part]) * scale
        box = {"x": round(x, 1), "y": y, "width": round(width, 1), "height": BAR}
        shapes.append(tag("rect", **box, fill=colour, opacity=opacity))
        x += width
    return [*shapes, words(f"{label} {sum(parts.values()) / GIB:.1f} GiB", x + 6, y + 13)]
