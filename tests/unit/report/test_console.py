"""The end of the console output: a line for each claim, within the terminal's width."""

from collections.abc import Callable

import pytest

from fixtures.evidence.events import Entry
from fixtures.report.console import Line, lines
from fixtures.report.reasons import next_step, told
from fixtures.report.summary import RunSummary, summarize
from fixtures.run.columns import columns, fit, folded
from fixtures.run.printable import clean
from fixtures.texts import LANGUAGES, Texts, message
from tests.unit.report import synthetic
from tests.unit.report.hostile import entries as hostile_entries

FULL = message("error.folder_unwritable", option="--work-dir", problem="full").as_json()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", [40, 79, 200])
def test_lines_are_folded_to_the_width_and_nothing_is_cut(language: str, width: int) -> None:
    for log in (synthetic.entries(), synthetic.entries()[:-1], synthetic.failing("tools", FULL), hostile_entries()):
        run = summarize(log)
        found = [line.text for line in lines(run, Texts(language), ["report: x"], width)]
        assert not [line for line in found if set("\n\x1b") & set(line)]
        # What has no blank in it, such as an address, is left whole.
        assert not [line for line in found if columns(line) > width and (" " in line.strip() or "中" < line < "龥")]
        whole = "".join("".join(found).split())
        for reason in told(run.verdict, Texts(language)):
            assert "".join(clean(reason.sentence).split()) in whole
            assert "".join(clean(reason.remedy).split()) in whole
        assert "".join(next_step(run.verdict, Texts(language)).split()) in whole


@pytest.mark.parametrize(
    ("made", "colour"),
    [
        (synthetic.entries, "green"),
        (lambda: synthetic.entries()[:-1], "red"),
        (synthetic.rehearsal, "yellow"),
        (synthetic.with_standin, "yellow"),
    ],
    ids=["accepted", "killed", "rehearsal", "stand-in"],
)
def test_colour_follows_the_verdict(made: Callable[[], list[Entry]], colour: str) -> None:
    found = lines(summarize(made()), Texts("en"), [], 100)
    verdict = found.index(Line(""))
    assert {line.colour for line in found[verdict:] if line.text} == {colour}


def test_tries_are_told(run: RunSummary) -> None:
    assert any("[tools.chain] 1 of 2 right" in line.text for line in lines(run, Texts("en"), [], 120))


def test_chinese_takes_two_columns() -> None:
    assert columns("显存 x") == 6
    assert fit("显存显存", 5) == "显存…"


def test_no_line_begins_with_a_closing_mark() -> None:
    assert folded("显存超过阈值，应为", 12, indent=2) == ["显存超过阈", "  值，应为"]
