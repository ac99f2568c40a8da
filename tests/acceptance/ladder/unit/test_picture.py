"""The picture shows the record's figures, in proportion, in both languages, and nothing that could run."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.acceptance.ladder.picture import LANGUAGES, TEXTS, draw, measured_parts

SVG = "{http://www.w3.org/2000/svg}"

ROW = {
    "name": "bf16-0.4",
    "weights": "bf16",
    "share": 0.4,
    "quant_policy": 0,
    "card_gib": None,
    "idle_mib": 100,
    "loaded_mib": 4548,
    "ready_mib": 36051,
    "peak_mib": 36100,
    "model_mib": 36051,
    "kv_mib": 30624,
    "kv_tokens": 326592,
    "kv_tokens_model": 326592,
    "model_parts_mib": {"weights": 3603, "kv": 30624, "rest": 1724},
}
HALF = ROW | {
    "name": "w4a16",
    "weights": "w4a16",
    "quant_policy": 4,
    "card_gib": 24,
    "kv_mib": None,
    "kv_tokens": 1264000,
}
RECORD = {"gpu": "NVIDIA <H100> & co", "rows": [ROW, HALF]}


@pytest.fixture(params=LANGUAGES)
def drawn(request: pytest.FixtureRequest) -> ElementTree.Element:
    return ElementTree.fromstring(draw(RECORD, request.param))


def test_bars_are_as_long_as_the_figures(drawn: ElementTree.Element) -> None:
    bars = [rect for rect in drawn.iter(f"{SVG}rect") if rect.find(f"{SVG}title") is not None]
    assert len(bars) == 2 * 2 * 3
    weights, kv, rest = (float(rect.get("width", "")) for rect in bars[:3])
    assert kv / weights == pytest.approx(30624 / 3603, rel=0.01)
    assert rest / weights == pytest.approx(1724 / 3603, rel=0.01)
    assert float(bars[1].get("x", "")) == pytest.approx(float(bars[0].get("x", "")) + weights, abs=0.2)


def test_the_figures_are_written_beside_them(drawn: ElementTree.Element) -> None:
    text = " ".join(drawn.itertext())
    assert "326,592" in text
    assert "1,264,000" in text
    assert "35.1 GiB" in text
    assert "NVIDIA <H100> & co" in text


def test_nothing_leaves_the_picture(drawn: ElementTree.Element) -> None:
    width, height = map(float, drawn.get("viewBox", "").split()[2:])
    for element in drawn.iter():
        right = float(element.get("x", 0)) + float(element.get("width", 0))
        assert 0 <= right <= width
        assert 0 <= float(element.get("y", 0)) <= height


def test_nothing_in_it_runs_or_loads() -> None:
    text = draw(RECORD, "zh")
    assert not re.search(r"<script|<image|<foreignObject|href|url\(|\son\w+=", text)


def test_every_text_is_in_both_languages() -> None:
    keys = [set(texts) for texts in TEXTS.values()]
    assert keys[0] == keys[1]
    assert set(TEXTS) == set(LANGUAGES)


def test_parts_add_up_with_and_without_the_logs_figure() -> None:
    for row in (ROW, HALF):
        figures: dict[str, Any] = dict(row)
        assert sum(measured_parts(figures).values()) == figures["ready_mib"] - figures["idle_mib"]
    assert measured_parts(HALF)["kv"] == 36051 - 4548
