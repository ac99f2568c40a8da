"""A run of the memory ladder has its own page: picture, figures, formula; and its own verdict."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from fixtures.events import (
    ClaimsSelected,
    EnvironmentRecorded,
    Event,
    RunFinished,
    RungClimbed,
    RunStarted,
    StartFailed,
    TestFinished,
    VramExpected,
)
from fixtures.evidence.seal import verify
from fixtures.ladder_run import file_stem
from fixtures.report.catalogue import LANGUAGES, TEXTS, Texts
from fixtures.report.console import lines
from fixtures.report.page import standalone
from fixtures.report.summary import RunSummary, summarize
from tests.unit.report import synthetic
from tests.unit.report.inner import Inner, inner
from tests.unit.waiting import ROOT

__all__ = ["inner"]

RECORD: dict[str, Any] = json.loads(
    (ROOT / "docs" / "records" / f"{file_stem('NVIDIA H100 80GB HBM3')}.json").read_text(encoding="utf-8")
)
FAILED = {
    "name": "w4a16-int4-0.99-on-4-gib", "share": 0.99, "card_gib": 4, "idle_mib": 76912, "peak_mib": 81001,
    "released_mib": 76912, "released_seconds": 0.1, "seconds": 21.4,
    "error": "the api_server was killed by SIGABRT: CUDA error: out of memory <b>",
}  # fmt: skip
TEST = "tests/acceptance/test_vram_ladder.py::test_one"


def events(record: dict[str, Any] | None = None, **finished: Any) -> list[tuple[float, Event]]:
    """A run of the ladder: the rungs of the record, a start that failed, and one test. Only the record was measured."""
    found = RECORD if record is None else record
    phases = [TestFinished(TEST, "", when, "passed", 0.1) for when in ("setup", "call", "teardown")]
    phases[1] = replace(phases[1], **finished)
    happened: list[Event] = [
        RunStarted("20261122T190000Z-1add", found["command"].split(), {}, {}, "", False, subject="ladder"),
        ClaimsSelected([], [], 1),
        EnvironmentRecorded(
            found["versions"], found["python"], "Linux", found["gpu"], found["gpu_total_mib"], found["driver"],
            found["cuda"],
        ),
        *(RungClimbed(row) for row in found["rows"]),
        *(VramExpected(0.0, 1.0, 1.0, {}, f"formula of {row['name']}") for row in found["rows"]),
        StartFailed(FAILED),
        *phases,
        RunFinished(0 if phases[1].outcome == "passed" else 1, 1),
    ]  # fmt: skip
    return [(float(second), event) for second, event in enumerate(happened)]


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
        assert f"formula of {row['name']}" in text
    assert "81001 MiB" in text
    assert "CUDA error: out of memory <b>" in text
    formulas = [text.index(part) for part in TEXTS["ladder.formula"]]
    first = LANGUAGES.index(language)
    assert formulas[first] == min(formulas), "the page's language comes first, the other follows"
    assert TEXTS["task.deployment"][first] not in text, "the homework is not this run's subject"


def test_the_picture_keeps_its_style_to_itself() -> None:
    page = standalone(run_of(events()), Texts("zh"))
    drawn = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    assert len(drawn) == 1
    rules = re.search(r"<style>(.*?)</style>", drawn[0], flags=re.DOTALL)
    assert rules is not None
    selectors = re.findall(r"([^{}]+)\{[^{}]*\}", rules[1].replace("@media(prefers-color-scheme:dark){", ""))
    assert len(selectors) > 8
    assert all(selector.startswith(".ladder ") for selector in selectors)


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
from tests.unit.report.test_ladder_section import events

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


if __name__ == "__main__":  # to look at the page: `python -m fixtures.evidence report FOLDER`
    synthetic.write(Path(sys.argv[1]), synthetic.entries(events()))
