"""What a record is called, what stands at its head, and what never stands in it."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path

import pytest

from fixtures.evidence.redaction import NOTHING_PRIVATE
from fixtures.session.environment import record
from tools.records import gpu_slug, head, write


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("NVIDIA H100 80GB HBM3", "h100-80gb-hbm3"),
        ("NVIDIA A100-SXM4-80GB", "a100-sxm4-80gb"),
        ("NVIDIA GeForce RTX 4090", "geforce-rtx-4090"),
        ("", "gpu"),
    ],
)
def test_a_card_is_named_in_files(name: str, short: str) -> None:
    assert gpu_slug(name) == short


def test_two_cards_of_one_family_have_files_of_their_own() -> None:
    assert gpu_slug("NVIDIA H100 NVL") != gpu_slug("NVIDIA H100 80GB HBM3")


def test_the_head_says_what_was_run_when_and_on_what() -> None:
    found = head(record(None), "pytest -m ladder", datetime(2026, 11, 22, 18, tzinfo=timezone.utc))
    assert (found["command"], found["date"]) == ("pytest -m ladder", "2026-11-22T18:00:00+00:00")
    assert found["versions"]["pytest"] == pytest.__version__
    assert list(found) == ["command", "date", "gpu", "gpu_total_mib", "driver", "cuda", "python", "versions"]


def test_a_record_keeps_folders_to_itself(tmp_path: Path) -> None:
    file = tmp_path / "docs" / "records" / "some.json"
    write(file, {"command": "pytest --work-dir /data/jane/work", "名": 1.5}, NOTHING_PRIVATE)
    assert json.loads(file.read_text(encoding="utf-8")) == {"command": "pytest --work-dir …/work", "名": 1.5}


def test_what_is_no_number_is_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nan"):
        write(tmp_path / "some.json", {"seconds": float("nan")}, NOTHING_PRIVATE)
    assert not (tmp_path / "some.json").exists()
