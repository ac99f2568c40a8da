"""The end of the console output: a line for each claim, within the terminal's width."""

from __future__ import annotations

import pytest

from fixtures.report.console import lines
from fixtures.report.summary import summarize
from fixtures.run.claims import HOMEWORK
from fixtures.run.columns import columns, fit
from fixtures.texts import LANGUAGES, Texts
from tests.unit.report import synthetic
from tests.unit.report.hostile import events as hostile_events


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", [40, 79, 200])
def test_every_claim_has_one_line_within_the_width(language: str, width: int) -> None:
    for log in (synthetic.entries(), synthetic.entries(hostile_events())):
        found = lines(summarize(log), Texts(language), ["report: x"], width)
        assert len(found) >= len(HOMEWORK) + 3
        for line in found[:-1]:
            assert columns(line.text) <= width
            assert "\n" not in line.text
            assert "\x1b" not in line.text


def test_colours_follow_the_verdict() -> None:
    def colours(log: list) -> set[str]:  # type: ignore[type-arg]
        found = lines(summarize(log), Texts("en"), [], 100)
        return {line.colour for line in found[len(HOMEWORK) :] if line.text}

    assert colours(synthetic.entries()) == {"green"}
    assert colours(synthetic.entries()[:-1]) == {"red"}
    assert colours(synthetic.entries(synthetic.events(rehearsal=True))) == {"yellow"}
    assert colours(synthetic.entries(synthetic.events(synthetic.STANDIN))) == {"yellow"}


def test_tries_are_shown() -> None:
    found = [line.text for line in lines(summarize(synthetic.entries()), Texts("en"), [], 120)]
    assert any("[tools.chain] 1 of 2 right" in text for text in found)


def test_chinese_takes_two_columns() -> None:
    assert columns("显存 x") == 6
    assert fit("显存显存", 5) == "显存…"
    assert fit("  a\nb", 20) == "  a b"
