"""The end of the console output: a line for each claim, within the terminal's width."""

from collections.abc import Callable

import pytest

from fixtures.evidence.events import Entry
from fixtures.homework import CLAIMS
from fixtures.report.console import lines
from fixtures.report.summary import RunSummary, summarize
from fixtures.run.columns import columns, fit
from fixtures.texts import LANGUAGES, Texts
from tests.unit.report import synthetic
from tests.unit.report.hostile import entries as hostile_entries


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", [40, 79, 200])
def test_every_claim_has_one_line_within_the_width(language: str, width: int) -> None:
    for log in (synthetic.entries(), hostile_entries()):
        found = lines(summarize(log), Texts(language), ["report: x"], width)
        assert len(found) >= len(CLAIMS) + 3
        for line in found[:-1]:
            assert columns(line.text) <= width
            assert not set("\n\x1b") & set(line.text)


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
    assert {line.colour for line in found[len(CLAIMS) :] if line.text} == {colour}


def test_tries_are_told(run: RunSummary) -> None:
    assert any("[tools.chain] 1 of 2 right" in line.text for line in lines(run, Texts("en"), [], 120))


def test_chinese_takes_two_columns() -> None:
    assert columns("显存 x") == 6
    assert fit("显存显存", 5) == "显存…"
