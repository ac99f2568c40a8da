"""A run of the memory ladder has its own page: picture, figures, formula; and its own verdict."""

from __future__ import annotations

import re
from html import unescape

import pytest

from fixtures.evidence.events import Event
from fixtures.report.console import lines
from fixtures.report.page import standalone
from fixtures.report.summary import RunSummary, summarize
from fixtures.report.verification import verify
from fixtures.texts import LANGUAGES, TEXTS, Texts
from tests.acceptance.ladder.events import RungClimbed, StartFailed
from tests.acceptance.ladder.unit.synthetic import FAILED, RECORD, events
from tests.unit.report import synthetic
from tests.unit.report.hostile import HOSTILE, MARK
from tests.unit.report.inner import Inner, inner

__all__ = ["inner"]


def run_of(happened: list[tuple[float, Event]]) -> RunSummary:
    return summarize(synthetic.entries(happened))


def visible(markup: str) -> str:
    text = re.sub(r"<style>.*?</style>", "", markup, flags=re.DOTALL)
    return unescape(re.sub(r"<[^>]*>", " ", text))


def test_a_ladder_that_holds_accepts_nothing() -> None:
    verdict = run_of(events()).verdict
    assert (verdict.outcome, verdict.accepted, verdict.reasons, verdict.claims) == ("ladder_held", False, (), ())


@pytest.mark.parametrize(
    ("happened", "codes"),
    [
        (events(outcome="failed", cause="89 MiB too much"), ["claim_failed", "exit_status"]),
        (events(outcome="skipped", cause="no time"), ["claim_skipped", "exit_status"]),
        (events(record=RECORD | {"rows": []}), ["no_rung"]),
        (events()[:-1], ["killed"]),
    ],
    ids=["failed", "skipped", "nothing measured", "killed"],
)
def test_a_ladder_that_does_not_hold_says_why(happened: list[tuple[float, Event]], codes: list[str]) -> None:
    verdict = run_of(happened).verdict
    assert verdict.outcome == "ladder_failed"
    assert [reason.code for reason in verdict.reasons] == codes


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_shows_picture_figures_formula_and_failed_start(language: str) -> None:
    text = visible(standalone(run_of(events()), Texts(language)))
    for row in RECORD["rows"]:
        assert f"{row['kv_tokens']:,}" in text
        assert f"= {row['model_mib']} MiB" in text
    assert "81001 MiB" in text
    assert "CUDA error: out of memory <b>" in text
    formulas = [text.index(part) for part in TEXTS["ladder.formula"]]
    first = LANGUAGES.index(language)
    assert formulas[first] == min(formulas), "the page's language comes first, the other follows"
    assert TEXTS["task.deployment"][first] not in text, "the homework is not this run's subject"


def test_the_picture_keeps_its_style_to_itself() -> None:
    page = standalone(run_of(events()), Texts("zh"))
    drawn = re.findall(r'<svg class="ladder".*?</svg>', page, flags=re.DOTALL)
    assert len(drawn) == 1
    rules = re.search(r"<style>(.*?)</style>", drawn[0], flags=re.DOTALL)
    assert rules is not None
    selectors = re.findall(r"([^{}]+)\{[^{}]*\}", rules[1].replace("@media(prefers-color-scheme:dark){", ""))
    assert len(selectors) > 8
    assert all(selector.startswith(".ladder ") for selector in selectors)


def test_hostile_text_stays_text() -> None:
    """The GPU's name comes from a driver, the cause of a failed start from a log."""
    happened = events(RECORD | {"gpu": HOSTILE})
    spoiled = [
        (t, StartFailed(FAILED | {"error": HOSTILE}) if isinstance(event, StartFailed) else event)
        for t, event in happened
    ]
    page = standalone(run_of(spoiled), Texts("en"))
    assert "<script" not in page
    assert "<img" not in page
    assert visible(page).count(MARK) >= 3


def test_a_run_without_a_rung_has_a_page() -> None:
    nothing = [(t, event) for t, event in events() if not isinstance(event, RungClimbed | StartFailed)]
    assert TEXTS["ladder.nothing"][1] in visible(standalone(run_of(nothing), Texts("en")))


def test_the_console_has_a_line_for_each_rung() -> None:
    shown = [line.text for line in lines(run_of(events()), Texts("en"), [], 120)]
    for row in RECORD["rows"]:
        assert [text for text in shown if text.startswith(f"{row['name']}:") and f"{row['kv_tokens']:,}" in text]
    assert TEXTS["outcome.ladder_held"][1] in shown


MODULE = """
import pytest
from tests.acceptance.ladder.unit.synthetic import events

@pytest.mark.gpu
@pytest.mark.ladder
def test_a_rung(evidence):
    for _, event in events()[2:-4]:
        evidence.append(event)
"""


def test_a_run_of_the_ladder_leaves_its_own_sealed_report(inner: Inner) -> None:
    result = inner.run(MODULE, "-m", "ladder", "-W", "ignore", "--report-lang", "en")
    page = (inner.folder / "report.html").read_text(encoding="utf-8")
    assert result.ret == 0
    assert TEXTS["outcome.ladder_held"][1] in visible(page)
    assert "1,223,680" in page
    assert "test_a_rung" in page, "pytest's own table"
    assert verify(inner.folder).problems == ()
    assert not (inner.folder / "post.md").exists()
    result.stdout.fnmatch_lines(["*memory ladder*", "*bf16-int4-0.4: ready 35951 MiB*", "*LADDER: AS THE MODEL SAYS*"])
