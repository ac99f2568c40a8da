"""What a record is called, what stands at its head, and what never stands in it."""

import json
from pathlib import Path

import pytest

from fixtures.evidence.redaction import NOTHING_PRIVATE
from tools.records import gpu_slug, head_now, write


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("NVIDIA H100 80GB HBM3", "h100-80gb-hbm3"),
        ("NVIDIA H100 NVL", "h100-nvl"),
        ("NVIDIA GeForce RTX 4090", "geforce-rtx-4090"),
        ("", "rehearsal"),
    ],
)
def test_card_has_a_name_in_files(name: str, short: str) -> None:
    assert gpu_slug(name) == short


def test_head_says_what_was_run_when_and_on_what(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    found = head_now("python -m tools.overhead")
    assert (found["command"], found["gpu"]) == ("python -m tools.overhead", "")
    assert found["versions"]["pytest"] == pytest.__version__
    assert found.keys() >= {"date", "commit", "platform", "driver", "python", "processors"}


def test_record_keeps_folders_to_itself(tmp_path: Path) -> None:
    file = tmp_path / "docs" / "records" / "some.json"
    write(file, {"command": "pytest --work-dir /data/jane/work", "名": 1.5}, NOTHING_PRIVATE)
    assert json.loads(file.read_text(encoding="utf-8")) == {"command": "pytest --work-dir …/work", "名": 1.5}


def test_figure_that_is_no_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nan"):
        write(tmp_path / "some.json", {"seconds": float("nan")}, NOTHING_PRIVATE)
    assert not (tmp_path / "some.json").exists()
