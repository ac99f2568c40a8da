"""The page's figures are the record's."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from fixtures.session.environment import record as environment_of
from fixtures.texts import LANGUAGES
from tests.acceptance.performance.unit.answers import servers
from tests.unit.waiting import ROOT
from tools.performance.__main__ import BEGIN, PAGE, main, render
from tools.performance.record import record

COMMITTED = sorted(
    file for file in (ROOT / "docs" / "records").glob("performance-*.json") if not file.stem.endswith("-samples")
)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A record as a run leaves it."""
    found: dict[str, Any] = record(
        list(servers().values()),
        "geometry",
        environment_of(None),
        "pytest -m performance",
        datetime(2026, 11, 23, tzinfo=timezone.utc),
    )
    found |= {"gpu": "NVIDIA H100 80GB HBM3", "versions": {"lmdeploy": "0.18.0"}}
    file = tmp_path / "performance-h100.json"
    file.write_text(json.dumps(found))
    return file


def test_every_load_has_its_row(made: Path) -> None:
    text = render(json.loads(made.read_text()), made.stem)
    assert "| bf16-int4-0.4 | 4/s poisson | 50.0 | 50.0 | 50.0 | 10.0 | 10.0 | 10.0 |" in text
    assert "bf16-0.4 40；bf16-int4-0.4 150" in text
    assert "2.0 % apart: TTFT 20.0 / 20.4 ms" in text


def test_a_figure_changed_by_hand_is_noticed(made: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\n\nold\n\n<!-- end -->\nafter\n")
    given = [str(made), "--page", str(page)]
    assert main([*given, "--check"]) == 1
    assert main(given) == 0
    assert main([*given, "--check"]) == 0
    page.write_text(page.read_text().replace("| 50.0 |", "| 49.0 |", 1))
    assert main([*given, "--check"]) == 1
    assert [made.with_name(f"{made.stem}-{language}.svg").exists() for language in LANGUAGES] == [True, True]


def test_the_committed_page_has_the_committed_records_figures() -> None:
    """Where there is a record: without one the page says nothing."""
    if COMMITTED:
        assert main([str(COMMITTED[0]), "--check"]) == 0
    else:
        assert f"{BEGIN}\n\n<!-- end -->" in PAGE.read_text(encoding="utf-8")
