"""What a run of the memory ladder shows instead of the homework: picture, figures, formula, a start that failed."""

from __future__ import annotations

from typing import Any, Final

from fixtures.evidence.events import VramExpected
from fixtures.gpu.memory_model import formula
from fixtures.report.markup import Html, cap, raw, tag
from fixtures.report.stamp import stamps
from fixtures.report.summary import RunSummary
from fixtures.texts import LANGUAGES, Texts
from tests.acceptance.ladder.events import RungClimbed, StartFailed
from tests.acceptance.ladder.picture import draw
from tests.acceptance.ladder.rungs import HALF_SHARE, INT4_KV

MIB_COLUMNS: Final = (
    ("ladder.idle", "idle_mib"),
    ("ladder.loaded", "loaded_mib"),
    ("ladder.ready", "ready_mib"),
    ("ladder.peak", "peak_mib"),
    ("ladder.released", "released_mib"),
    ("ladder.model", "model_mib"),
)
TOKEN_COLUMNS: Final = (
    ("ladder.kv_tokens", "kv_tokens"),
    ("ladder.kv_tokens_model", "kv_tokens_model"),
    ("ladder.kv_tokens_held", "kv_tokens_held"),
)
"""Titles in the catalogue, and the fields of the record's rows below them."""


def section(run: RunSummary, texts: Texts) -> Html:
    """The section; says so where nothing was measured."""
    heading = tag("h2", texts.say("ladder"), stamps(run, texts), data_picture="ladder")
    rows = rungs(run)
    if not rows:
        return tag("section", heading, tag("p", texts.say("ladder.nothing"), class_="absent"), id="ladder")
    gpu = run.environment.gpu if run.environment else ""
    return tag(
        "section",
        heading,
        # Our own drawing, which escapes what a run produced.
        tag("div", raw(draw({"gpu": gpu, "rows": rows}, texts.language)), class_="scroll"),
        tag("h3", texts.say("ladder.figures")),
        _table(rows, texts),
        _formula(texts),
        _arithmetic(run, texts),
        *_failed_starts(run, texts),
        id="ladder",
    )


def _table(rows: list[dict[str, Any]], texts: Texts) -> Html:
    titles = [texts.say(id_) for id_, _ in (("ladder.server", ""), *MIB_COLUMNS, *TOKEN_COLUMNS)]
    body = [
        tag(
            "tr",
            tag("th", row["name"], scope="row"),
            *(tag("td", f"{row[name]:.0f}") for _, name in MIB_COLUMNS),
            *(tag("td", f"{row[name]:,}") for _, name in TOKEN_COLUMNS),
        )
        for row in rows
    ]
    head = tag("thead", tag("tr", *(tag("th", title) for title in titles)))
    return tag("div", tag("table", head, tag("tbody", *body)), class_="scroll numbers", data_picture="ladder")


def _formula(texts: Texts) -> Html:
    """In plain words, in the page's language and then in the others."""
    others = [Texts(language) for language in LANGUAGES if language != texts.language]
    return tag(
        "div",
        tag("h3", texts.say("ladder.why")),
        *(tag("p", "; ".join(formula(found)), lang=found.language) for found in (texts, *others)),
        *(tag("p", found.say("ladder.formula"), lang=found.language) for found in (texts, *others)),
        class_="words",
    )


def _arithmetic(run: RunSummary, texts: Texts) -> Html:
    lines = [tag("li", tag("code", "; ".join(formula(texts, event.terms)))) for event in run.all(VramExpected)]
    return tag("details", tag("summary", texts.say("ladder.arithmetic")), tag("ul", *lines))


def _failed_starts(run: RunSummary, texts: Texts) -> list[Html]:
    found: list[Html] = []
    for event in run.all(StartFailed):
        found.append(tag("h3", texts.say("ladder.failed_start")))
        found.append(tag("p", texts.say("ladder.failed_start_told", **event.facts)))
        found.append(tag("pre", cap(str(event.facts["error"]), 2_000, texts.say("cut"))))
    return found


def key_figures(run: RunSummary, texts: Texts) -> list[tuple[str, ...]]:
    """How right the memory model is, and what int4 KV buys and does not save."""
    rows = rungs(run)
    figures = [(texts.say("ladder.rungs"), str(len(rows)))]
    if rows:
        residual = max(abs(row["ready_mib"] - row["model_mib"]) for row in rows)
        figures.append((texts.say("ladder.residual"), f"{residual:.0f} MiB"))
    by_name = {row["name"]: row for row in rows}
    wide, narrow = by_name.get(HALF_SHARE.id), by_name.get(INT4_KV.id)
    if wide and narrow:
        note = texts.say("ladder.of_16_bit", ratio=narrow["kv_tokens"] / wide["kv_tokens"])
        figures.append((texts.say("ladder.int4_tokens"), f"{narrow['kv_tokens']:,}", note))
        saved = wide["ready_mib"] - narrow["ready_mib"]
        figures.append((texts.say("ladder.int4_saves"), f"{saved:.0f} MiB", texts.say("ladder.at_equal_share")))
    return figures


def console(run: RunSummary, texts: Texts) -> list[str]:
    """Tell each rung in a line."""
    return [
        texts.say(
            "console.rung", name=row["name"], ready=row["ready_mib"], model=row["model_mib"], tokens=row["kv_tokens"]
        )
        for row in rungs(run)
    ]


def rungs(run: RunSummary) -> list[dict[str, Any]]:
    """Return the rungs as rows of the ladder's record, in the order in which they were climbed."""
    return [event.row for event in run.all(RungClimbed)]
