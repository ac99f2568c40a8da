"""The report's section on quality: its figures, what it says of random weights, and its picture."""

from __future__ import annotations

from itertools import count
from xml.etree import ElementTree

from fixtures.evidence.events import Entry
from fixtures.report.markup import Html
from fixtures.report.summary import summarize
from fixtures.texts import Texts
from tests.acceptance.quality.picture import draw
from tests.acceptance.quality.result import Quality
from tests.acceptance.quality.section import points_of, quality_section
from tests.acceptance.quality.unit.answers import quality, with_memory

ENGLISH = Texts("en")
MEASURED = with_memory(quality(), (36000, 320_000), (34700, 330_000), (34735, 1_250_000))


def section(found: Quality) -> Html:
    seconds = count()
    log = [Entry(float(next(seconds)), "now", event) for event in (found.asked, *found.measured)]
    made = quality_section(summarize(log), ENGLISH)
    assert made is not None
    return made


def test_a_run_without_the_comparison_has_no_section() -> None:
    assert quality_section(summarize([]), ENGLISH) is None


def test_every_server_has_its_row() -> None:
    page = section(MEASURED)
    for name in ("bf16", "W4A16", "W4A16 + int4 KV"):
        assert f"<td>{name}</td>" in page
    assert "96 of 100 [0.902, 0.984]" in page
    assert "40 / 40" in page
    assert "1,250,000" in page
    assert "<svg" in page


def test_memory_that_was_not_measured_is_not_drawn() -> None:
    page = section(quality())
    assert "<svg" not in page
    assert ENGLISH.say("quality.no_memory") in page
    assert f"<td>{ENGLISH.say('not_measured')}</td>" in page


def test_random_weights_are_called_that() -> None:
    assert ENGLISH.say("quality.unknown") in section(quality(known=False))
    assert ENGLISH.say("quality.unknown") not in section(MEASURED)


def test_the_picture_has_a_point_for_each_server_in_each_chart() -> None:
    svg = ElementTree.fromstring(draw(points_of(MEASURED), ENGLISH))
    circles = svg.findall("circle")
    assert len(circles) == 6
    vram = [float(circle.attrib["cx"]) for circle in circles[:3]]
    assert vram[0] > vram[2] > vram[1]
    heights = [float(circle.attrib["cy"]) for circle in circles[:3]]
    assert heights[0] > heights[1] > heights[2], "less perplexity is further down"


def test_tokens_that_no_server_says_have_no_chart() -> None:
    silent = with_memory(quality(), (36000, None), (34700, None), (34735, None))
    assert len(ElementTree.fromstring(draw(points_of(silent), ENGLISH)).findall("circle")) == 3
