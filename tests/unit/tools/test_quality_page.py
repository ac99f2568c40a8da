"""docs/quality.md and its pictures follow from the records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.unit.tools.test_quality_record import made
from tools.quality.page import NOT_YET, section, write_page

PART = {"perplexity": 1.71, "ratio": 1.025, "agreement": 0.99}
DAMAGE = {
    "command": "python -m tools.quality.damage QUANTIZED",
    "rows": [{"name": "2 bits", "accepted": False, "parts": {"stories": PART, "dialogues": {"agreement": 0.8}}}],
}

NAME = "quality-h100-80gb-hbm3"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    records = tmp_path / "docs" / "records"
    records.mkdir(parents=True)
    (records / "quality-damage.json").write_text(json.dumps(DAMAGE))
    return tmp_path


def put(root: Path, record: dict[str, Any]) -> None:
    (root / "docs" / "records" / f"{NAME}.json").write_text(json.dumps(record))


def test_without_a_run_on_a_gpu_the_page_says_so(root: Path) -> None:
    assert write_page(root) == [root / "docs" / "quality.md"]
    text = (root / "docs" / "quality.md").read_text()
    assert NOT_YET in text
    assert "| 2 bits | 1.71 (×1.0250), 99.0 % | 80.0 % | ✗ |" in text


def test_without_the_damages_the_page_says_so(tmp_path: Path) -> None:
    (tmp_path / "docs" / "records").mkdir(parents=True)
    write_page(tmp_path)
    assert (tmp_path / "docs" / "quality.md").read_text().rstrip().endswith(NOT_YET)


def test_a_record_becomes_tables_and_pictures(root: Path) -> None:
    put(root, made("standin"))
    written = write_page(root)
    text = (root / "docs" / "quality.md").read_text()
    assert "| standin W4A16 | 1.743 | 1.0202 [1.0202, 1.0202] | 96.0 % | 40 / 40 | 34,700 | 330,000 |" in text
    assert "$" not in text
    pictures = [file for file in written if file.suffix == ".svg"]
    assert [file.name for file in pictures] == [
        "quality-h100-80gb-hbm3-standin-zh.svg",
        "quality-h100-80gb-hbm3-standin-en.svg",
    ]
    for picture in pictures:
        assert picture.name in text or "-en" in picture.name
        assert ElementTree.parse(picture).getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_the_corruptions_are_named_once_they_are_known() -> None:
    record = made("standin")
    assert "artefact.json" not in section(f"{NAME}.json", record)
    assert "15 / 16" in section(f"{NAME}.json", {**record, "corruptions_caught": 15, "corruptions": 16})


def test_the_committed_page_is_that_of_the_committed_records(tmp_path: Path) -> None:
    project = Path(__file__).parents[3]
    records = tmp_path / "docs" / "records"
    records.mkdir(parents=True)
    for file in (project / "docs" / "records").glob("quality-*.json"):
        (records / file.name).write_bytes(file.read_bytes())
    write_page(tmp_path)
    assert (tmp_path / "docs" / "quality.md").read_text() == (project / "docs" / "quality.md").read_text()
