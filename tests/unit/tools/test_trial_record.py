"""The record of a run's trials."""

import json
from datetime import datetime, timezone
from pathlib import Path

import pytest

from fixtures.evidence.events import EnvironmentRecorded
from fixtures.evidence.log import TRIALS_FILE
from fixtures.evidence.redaction import NOTHING_PRIVATE
from fixtures.judge.paired import Paired
from fixtures.run.settings import Settings, resolve
from tools.records import RECORDS
from tools.trial_record import EVERY_RUN_HAS, Row, TrialRecord, served

NOW = datetime(2026, 11, 22, 18, 0, tzinfo=timezone.utc)


def settings(**values: str) -> Settings:
    return resolve(values.get, lambda _: None, {}, Path("/somewhere"))


def environment(gpu: str = "NVIDIA H100 80GB HBM3") -> EnvironmentRecorded:
    return EnvironmentRecorded({"lmdeploy": "0.18.0"}, "3.12.3", "Linux x86_64", gpu, 81559, "580.159.04", "13.0")


STRICT = {"profile": "strict", "checkpoint": "standin"}


def test_a_row_has_the_interval_of_its_rate() -> None:
    assert Row.of("tools.chain_trials", 0.8, 198, 200) == Row("tools.chain_trials", 0.8, 198, 200, 0.9643, 0.9973)


def test_the_record_says_what_was_run_and_on_what() -> None:
    record = TrialRecord(settings(**STRICT), ["-m", "gpu", "--profile", "strict", "--api-key", "sk-secret"])
    record.on(environment())
    record.add(Row.of("tools.chain_trials", 0.8, 198, 200))
    record.add_control("control.chain", 0.8, Paired(both=190, control_only=6, quantized_only=2, neither=2))
    content = record.content(NOW)
    assert content["command"] == "pytest -m gpu --profile strict --api-key given"
    assert content["date"] == "2026-11-22T18:00:00+00:00"
    assert content["versions"] == {"lmdeploy": "0.18.0", "python": "3.12.3"}
    assert content["gpu"]["name"] == "NVIDIA H100 80GB HBM3"
    assert content["served"] == "w4a16+int4kv"
    assert content["claims"] == [
        {"claim": "tools.chain_trials", "temperature": 0.8, "k": 198, "n": 200, "lower": 0.9643, "upper": 0.9973}
    ]
    (compared,) = content["control"]
    assert (compared["unquantized"], compared["quantized"], compared["cost"]) == (196, 192, 0.02)
    assert compared["lower"] < 0.02 < compared["upper"]


@pytest.mark.parametrize(
    ("values", "gpu", "claims", "kept"),
    [
        (STRICT, "NVIDIA H100 80GB HBM3", EVERY_RUN_HAS, True),
        (STRICT, "NVIDIA H100 80GB HBM3", {"tools.chain_trials"}, False),
        (STRICT, "", EVERY_RUN_HAS, False),
        ({"checkpoint": "standin"}, "NVIDIA H100 80GB HBM3", EVERY_RUN_HAS, False),
    ],
)
def test_whole_strict_runs_on_a_gpu_are_among_the_projects_records(
    values: dict[str, str], gpu: str, claims: set[str], kept: bool, tmp_path: Path
) -> None:
    record = TrialRecord(settings(**values), ["--work-dir", "/data/someone/work"])
    record.on(environment(gpu))
    for claim in claims:
        record.add(Row.of(claim, 0.8, 1, 1))
    run = tmp_path / "run"
    run.mkdir()
    record.write(run, tmp_path, NOTHING_PRIVATE)
    assert json.loads((run / TRIALS_FILE).read_text(encoding="utf-8"))["claims"][0]["k"] == 1
    assert "someone" not in (run / TRIALS_FILE).read_text(encoding="utf-8")
    assert (tmp_path / RECORDS / "trials-standin-h100-80gb-hbm3.json").exists() is kept


def test_a_run_without_trials_writes_nothing(tmp_path: Path) -> None:
    TrialRecord(settings(**STRICT), []).write(tmp_path, tmp_path, NOTHING_PRIVATE)
    assert list(tmp_path.iterdir()) == []


def test_how_the_model_is_served() -> None:
    assert served(settings(quant_policy="0")) == "w4a16+16-bit kv"
    assert served(settings(base_url="http://host/v1")) == "external"
