"""The report's part on a run of the memory ladder: picture, figures, formula, a start that failed."""

from __future__ import annotations

from typing import Any, Final

from fixtures.errors import said
from fixtures.evidence.events import VramExpected
from fixtures.gpu.memory_model import formula
from fixtures.report.key_figures import Figure
from fixtures.report.markup import Html, cap, grid, tag
from fixtures.report.stamp import stamps
from fixtures.report.summary import RunSummary
from fixtures.server.in_turn import BF16, BF16_INT4
from fixtures.texts import LANGUAGES, Texts
from tests.acceptance.ladder.events import RungClimbed, StartFailed
from tests.acceptance.ladder.picture import draw

MIB_COLUMNS: Final = ("idle_mib", "loaded_mib", "ready_mib", "peak_mib", "released_mib", "model_mib")
TOKEN_COLUMNS: Final = ("kv_tokens", "kv_tokens_model", "kv_tokens_held")
"""Fields of a rung's row; their titles are the texts `ladder.<field>`."""


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
        tag("div", draw({"gpu": gpu, "rows": rows}, texts), class_="scroll"),
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
        shown += [tag("p", line, lang=found.language) for line in (*formula(found), found.say("ladder.formula"))]
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
