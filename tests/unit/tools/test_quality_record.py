"""The record: its rows, another checkpoint beside it, and the figures of artefact verification."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fixtures.errors import SettingsError
from fixtures.evidence.events import EnvironmentRecorded
from tests.acceptance.quality.unit.answers import quality, with_memory
from tools.quality.record import join_file, joined, keep, merged, of_run

NOW = datetime(2026, 11, 22, 18, 0, tzinfo=timezone.utc)
MEASURED = with_memory(quality(), (36000, 320_000), (34700, 330_000), (34735, 1_250_000))


def environment(gpu: str = "NVIDIA H100 80GB HBM3") -> EnvironmentRecorded:
    return EnvironmentRecorded({"lmdeploy": "0.18.0"}, "3.12.3", "Linux x86_64", gpu, 81559, "580.159.04", "13.0")


def made(checkpoint: str, gpu: str = "NVIDIA H100 80GB HBM3") -> dict[str, Any]:
    return of_run(checkpoint, MEASURED, environment(gpu), f"pytest -m quality --checkpoint {checkpoint}", NOW)


def test_a_row_for_each_server_with_the_figures_of_the_known_texts() -> None:
    record = made("standin")
    assert record["command"] == "pytest -m quality --checkpoint standin"
    assert record["versions"] == {"lmdeploy": "0.18.0", "python": "3.12.3"}
    assert [row["name"] for row in record["rows"]] == [
        "standin bf16",
        "standin W4A16",
        "standin W4A16 + int4 KV",
    ]
    assert record["rows"][1] == {
        "name": "standin W4A16",
        "perplexity": 1.7428,
        "agreement": 0.96,
        "task_rate": 1.0,
        "vram_mib": 34700,
        "kv_tokens": 330_000,
    }
    assert (record["corruptions_caught"], record["corruptions"]) == (None, None)
    assert record["runs"]["standin"]["judged"] == ["stories", "dialogues"]


def test_the_record_is_json_without_nan() -> None:
    assert json.loads(json.dumps(made("standin"), allow_nan=False)) == made("standin")


def test_another_checkpoints_rows_stay() -> None:
    record = merged(made("standin"), made("geometry"))
    assert [row["name"].split()[0] for row in record["rows"]] == ["standin"] * 3 + ["geometry"] * 3
    assert record["command"] == "pytest -m quality --checkpoint standin && pytest -m quality --checkpoint geometry"
    assert merged(record, made("standin")) == record


@pytest.mark.parametrize("other", ["NVIDIA A100", "text"])
def test_rows_that_cannot_be_compared_go(other: str) -> None:
    old = made("standin", gpu="NVIDIA H100 80GB HBM3" if other == "text" else other)
    if other == "text":
        old["runs"]["standin"]["text"] = "another"
    assert [row["name"].split()[0] for row in merged(old, made("geometry"))["rows"]] == ["geometry"] * 3


def test_the_corruptions_are_taken_over_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "quality-h100-80gb-hbm3.json"
    file.write_text(json.dumps(made("standin")))
    join_file(file)
    assert json.loads(file.read_text())["corruptions"] is None, "there is no record of artefact verification"
    (tmp_path / "artefact.json").write_text(json.dumps({"corruptions_caught": 1, "corruptions": [{}, {}]}))
    join_file(file)
    record = json.loads(file.read_text())
    assert (record["corruptions_caught"], record["corruptions"]) == (1, 2)
    assert merged(record, made("geometry"))["corruptions"] == 2


def test_a_record_without_the_figures_is_an_error() -> None:
    with pytest.raises(SettingsError, match="no corruptions_caught"):
        joined(made("standin"), {"corruptions": []})


@pytest.mark.parametrize(
    ("gpu", "rehearse", "kept"),
    [("NVIDIA H100 80GB HBM3", False, True), ("", True, False), ("", False, False)],
    ids=["on a GPU", "rehearsed", "nothing known of a GPU"],
)
def test_runs_on_a_gpu_are_among_the_projects_records(tmp_path: Path, gpu: str, rehearse: bool, kept: bool) -> None:
    config: Any = SimpleNamespace(
        rootpath=tmp_path, invocation_params=SimpleNamespace(args=("-m", "quality", "--api-key", "sk-secret"))
    )
    settings: Any = SimpleNamespace(rehearse=rehearse)
    folder = tmp_path / "evidence"
    folder.mkdir()
    keep(config, settings, folder, "standin", MEASURED, environment(gpu))
    beside = json.loads((folder / "quality.json").read_text())
    assert beside["command"] == "pytest -m quality --api-key given"
    record = tmp_path / "docs" / "records" / "quality-h100-80gb-hbm3.json"
    assert record.exists() is kept
    if kept:
        assert json.loads(record.read_text()) == beside
        keep(config, settings, folder, "geometry", MEASURED, environment(gpu))
        assert len(json.loads(record.read_text())["rows"]) == 6
