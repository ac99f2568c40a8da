"""The page's figures are the record's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.waiting import ROOT
from tools.ladder_table import BEGIN, END, PAGE, main, put, render

RECORD = ROOT / "docs" / "records" / "vram-ladder-h100-80gb-hbm3.json"


@pytest.fixture
def record() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RECORD.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize(("record", "page"), [("h100-80gb-hbm3", "vram.md"), ("h200", "vram-h200.md")])
def test_the_committed_pages_have_the_committed_records_figures(record: str, page: str) -> None:
    file = RECORD.with_name(f"vram-ladder-{record}.json")
    assert main([str(file), "--page", str(ROOT / "docs" / page), "--check"]) == 0


def test_a_figure_changed_by_hand_is_noticed(record: dict[str, Any], tmp_path: Path) -> None:
    page, ready = tmp_path / "vram.md", record["rows"][0]["ready_mib"]
    page.write_text(PAGE.read_text(encoding="utf-8").replace(f"| {ready} |", f"| {ready + 1} |"), encoding="utf-8")
    assert main([str(RECORD), "--page", str(page), "--check"]) == 1
    assert main([str(RECORD), "--page", str(page)]) == 0
    assert page.read_text(encoding="utf-8") == PAGE.read_text(encoding="utf-8")


def test_a_small_card_and_a_failed_start_are_named(record: dict[str, Any]) -> None:
    record["rows"].append(record["rows"][-1] | {"name": "w4a16-int4-0.4-on-8-gib", "card_gib": 8})
    record["failed_start"] = {
        "name": "x", "idle_mib": 77000, "peak_mib": 81000, "released_mib": 77010, "seconds": 20.7,
        "error": "out of memory\n  where: here",
    }  # fmt: skip
    text = render(record, "name")
    assert "| W4A16, int4 KV, 0.4 (8 GiB) |" in text
    assert "77000 → 81000 → 77010 MiB" in text
    assert "`out of memory`" in text


def test_without_the_three_caches_no_ratio_is_told(record: dict[str, Any]) -> None:
    record["rows"] = record["rows"][-1:]
    assert "times the tokens" not in render(record, "name")


def test_a_page_without_a_place_for_it_is_an_error() -> None:
    with pytest.raises(ValueError, match="has no"):
        put(f"{END} {BEGIN}", "")
