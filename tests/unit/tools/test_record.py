"""Records follow from a run's events alone, and extend what was recorded before."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fixtures.evidence import EVENTS_FILE
from fixtures.evidence import read as read_events
from fixtures.evidence.events import EnvironmentRecorded, Event, RunFinished, RunStarted
from tests.unit.report import synthetic
from tools import record
from tools.records import RECORDS, ROOT, read


def runs() -> list[Path]:
    """Committed runs whose events are today's."""
    found = []
    for file in sorted((ROOT / "docs").rglob(EVENTS_FILE)):
        with file.open(encoding="utf-8") as log:
            if "suite" in json.loads(log.readline()):
                found.append(file.parent)
    return found


@pytest.mark.parametrize("run", runs(), ids=lambda run: run.name)
def test_committed_record_follows_from_committed_evidence(run: Path) -> None:
    log = read_events(run)
    try:
        made = record.records(log, RECORDS)
    except ValueError as error:
        pytest.skip(f"no record is kept of it: {error}")
    for file, content in made.items():
        committed = read(file)
        if log[0].at in json.dumps(committed):  # else it is of another run
            assert json.loads(json.dumps(content)) == committed, file.name


def changed(event: Event) -> Event:
    """A run on lmdeploy 0.9.2, of a commit with changes."""
    if isinstance(event, RunStarted):
        return replace(event, commit="abc", dirty=True)
    if isinstance(event, EnvironmentRecorded):
        return replace(event, versions={**event.versions, "lmdeploy": "0.9.2"})
    return event


def test_gpu_verdict_is_added_to_what_is_known_of_its_version(tmp_path: Path) -> None:
    known = {"schema": 1, "versions": {"0.18.0": {"environments": {}}, "0.9.2": {"environments": {"one": {}}}}}
    (tmp_path / "versions.json").write_text(json.dumps(known), encoding="utf-8")
    (made,) = record.records(synthetic.changed(changed), tmp_path).values()
    assert list(made["versions"]) == ["0.9.2", "0.18.0"]
    assert made["versions"]["0.9.2"]["environments"] == {"one": {}}
    row = made["versions"]["0.9.2"]["gpu"]
    assert (row["outcome"], row["claims"], row["passed"]) == ("accepted", {}, row["total"])
    lost = synthetic.failing("chat.ends_by_itself", "cut off")
    gpu = record.records(lost, tmp_path / "none")[tmp_path / "none" / "versions.json"]["versions"]
    (found,) = (one["gpu"] for one in gpu.values())
    assert found["claims"] == {"chat.ends_by_itself": {"state": "failed", "cause": "cut off"}}


def without(kind: type[Event]) -> Any:
    return lambda event: None if isinstance(event, kind) else event


def rehearsed(event: Event) -> Event:
    return replace(event, rehearsal=True) if isinstance(event, RunStarted) else event


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without(EnvironmentRecorded), "did not come to record"),
        (without(RunFinished), "nothing in this run"),
        (rehearsed, "nothing in this run"),
    ],
)
def test_run_of_which_nothing_is_kept_is_an_error(change: Any, words: str, tmp_path: Path) -> None:
    folder = synthetic.write(tmp_path / "run", synthetic.changed(change))
    with pytest.raises(SystemExit, match=words):
        record.main([str(folder), "--out", str(tmp_path / "records")])
    assert not (tmp_path / "records").exists()


def test_run_imports_no_tool() -> None:
    sources = [file for folder in ("fixtures", "tests/acceptance") for file in (ROOT / folder).rglob("*.py")]
    run = [file for file in sources if "unit" not in file.parts]
    assert [file for file in run if re.search(r"^\s*(?:from|import) tools\b", file.read_text("utf-8"), re.M)] == []
