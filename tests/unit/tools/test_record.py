"""Records follow from a run's events alone, whole runs only, and extend what was recorded before."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fixtures.run.subjects import QUALITY

from fixtures.evidence import read as read_events
from fixtures.evidence.events import (
    CheckpointIdentified,
    EnvironmentRecorded,
    Event,
    Measured,
    PhaseMarked,
    RungClimbed,
    RunStarted,
    TryJudged,
    VramSampled,
)
from tests.acceptance.depth.record import WHOLE
from tests.acceptance.ladder.rungs import RUNGS
from tests.acceptance.ladder.unit.synthetic import RECORD as LADDER
from tests.acceptance.ladder.unit.synthetic import events as ladder_events
from tests.unit.report import synthetic
from tests.unit.report.synthetic_subjects import entries, events, run_of
from tools import record
from tools.records import RECORDS, ROOT, read

REPORTS = ROOT / "docs" / "reports"
SETTINGS = {"profile": "strict", "checkpoint": "standin", "base_url": None, "quant_policy": 4}
CARD = EnvironmentRecorded({"lmdeploy": "0.18.0"}, "3.12.3", "Linux", "NVIDIA H100 80GB HBM3", 81559, "580", "13.0")


def derived(happened: Sequence[Event], out: Path) -> dict[str, dict[str, Any]]:
    return {file.name: content for file, content in record.records(entries(happened), out).items()}


@pytest.mark.parametrize(
    ("run", "name"),
    [
        ("performance", "performance-h200.json"),
        ("standin-doors", "doors-0.18.0-h200.json"),
        ("rehearsed-doors", "doors-0.9.2.post1-rehearsal.json"),
    ],
)
def test_committed_record_follows_from_committed_evidence(run: str, name: str, tmp_path: Path) -> None:
    record.main([str(REPORTS / run), "--out", str(tmp_path)])
    assert [file.name for file in tmp_path.iterdir()] == [name]
    assert read(tmp_path / name) == read(RECORDS / name)


@pytest.mark.parametrize("version", ["0.8.0", "0.14.0"])
def test_gpu_verdict_of_a_version_follows_from_committed_evidence(version: str) -> None:
    made = record.records(read_events(REPORTS / f"lmdeploy-{version}"), RECORDS)
    assert made == {RECORDS / "versions.json": read(RECORDS / "versions.json")}


def test_ladder_has_its_rungs_and_their_samples(tmp_path: Path) -> None:
    happened = [event for _, event in ladder_events()]
    idle = happened.index(RungClimbed(LADDER["rows"][0]))
    happened[idle:idle] = [PhaseMarked("bf16-0.8: idle"), VramSampled([[0.1, 0.0], [float(idle), 1.5], [999.0, 2.0]])]
    made = derived(happened, tmp_path)
    assert made["vram-ladder-h100-80gb-hbm3.json"]["rows"] == LADDER["rows"]
    samples = made["vram-ladder-h100-80gb-hbm3-samples.json"]["samples"]
    assert (samples["bf16-0.8"], samples["bf16-0.4"]) == ([[float(idle), 1.5]], [])
    with pytest.raises(ValueError, match=f"rungs are missing: {RUNGS[1].id}"):
        derived([event for event in happened if event != RungClimbed(LADDER["rows"][1])], tmp_path)


def test_quality_keeps_comparable_checkpoints_of_the_same_card(tmp_path: Path) -> None:
    happened = events(QUALITY)
    first = derived(happened, tmp_path)["quality-h100.json"]
    (run,) = first["runs"].values()
    assert [row["name"] for row in run["rows"]] == ["bf16", "W4A16", "W4A16 + int4 KV"]
    assert run["known"].keys() == run["details"]["bf16"]["parts"].keys()
    (tmp_path / "quality-h100.json").write_text(json.dumps(first), encoding="utf-8")
    other = [replace(one, origin="geometry") if isinstance(one, CheckpointIdentified) else one for one in happened]
    assert list(derived(other, tmp_path)["quality-h100.json"]["runs"]) == ["standin", "geometry"]
    first["runs"]["standin"]["text"] = "another"
    (tmp_path / "quality-h100.json").write_text(json.dumps(first), encoding="utf-8")
    assert list(derived(other, tmp_path)["quality-h100.json"]["runs"]) == ["geometry"]


def strict(claims: Sequence[str], environment: EnvironmentRecorded = CARD, rehearsal: bool = False) -> list[Event]:
    """A strict run with two trials at each claim, one of them right."""
    happened: list[Event] = [RunStarted("run", ["pytest"], SETTINGS, {}, "abc", True, rehearsal), environment]
    for claim in claims:
        happened += [TryJudged(claim, 1, True, "", [], ""), TryJudged(claim, 2, False, "no call", [], "")]
        happened.append(Measured(claim, "temperature", 0.8))
    return happened


def test_trials_have_their_interval_and_the_control_its_cost(tmp_path: Path) -> None:
    control = [TryJudged(claim, 1, right, "", [], "") for claim, right in
               (("control.add", False), ("control.add.unquantized", True))]  # fmt: skip
    made = derived([*strict(sorted(WHOLE)), *control], tmp_path)["trials-standin-h100-80gb-hbm3.json"]
    assert (made["served"], made["commit"], len(made["claims"])) == ("w4a16+int4kv", "abc and changes", len(WHOLE))
    assert made["claims"][0].items() >= {"temperature": 0.8, "k": 1, "n": 2, "lower": 0.0945, "upper": 0.9055}.items()
    assert [(row["unquantized"], row["quantized"], row["cost"]) for row in made["control"]] == [(1, 0, 1.0)]


def test_part_of_the_trials_is_no_record_of_a_card(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="claims are missing"):
        derived(strict(["tools.add_trials"]), tmp_path)


def test_rehearsed_trials_are_kept_by_version(tmp_path: Path) -> None:
    older = EnvironmentRecorded({"lmdeploy": "0.9.2"}, "3.11.7", "Linux", "", 0, "", "")
    file = tmp_path / "standin-versions.json"
    for environment in (replace(older, versions={"lmdeploy": "0.18.0"}), older):
        (made,) = derived(strict(["tools.add_trials"], environment, rehearsal=True), tmp_path).values()
        file.write_text(json.dumps(made), encoding="utf-8")
    assert list(made["rows"]) == ["0.9.2", "0.18.0"]
    assert made["rows"]["0.9.2"]["wrong"] == [{"claim": "tools.add_trials", "trial": 2, "reason": "no call"}]


def test_run_of_which_nothing_is_kept_is_an_error(tmp_path: Path) -> None:
    folder = synthetic.write(tmp_path / "run", run_of([*strict([]), Measured("chat", "status", "200")]).entries)
    with pytest.raises(SystemExit, match="nothing in this run"):
        record.main([str(folder), "--out", str(tmp_path / "records")])
    with pytest.raises(SystemExit, match=r"events\.jsonl"):
        record.main([str(tmp_path), "--out", str(tmp_path / "records")])
    assert not (tmp_path / "records").exists()


def test_run_imports_no_tool_but_the_calibration_text() -> None:
    sources = [file for folder in ("fixtures", "tests/acceptance") for file in (ROOT / folder).rglob("*.py")]
    found = {file.name: re.findall(r"^\s*(?:from|import) tools\b.*", file.read_text("utf-8"), re.M) for file in sources}
    assert [line for lines in found.values() for line in lines] == ["from tools.standin.calibration import OWN_TEXTS"]
