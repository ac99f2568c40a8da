"""The record of a run's doors says of each what became of it, and follows from the evidence alone."""

import json
from pathlib import Path

import pytest

from fixtures.errors import AcceptanceError
from fixtures.run.subjects import DOORS, QUALITY
from tests.unit.report import synthetic
from tests.unit.report.synthetic_subjects import entries, events, run_of
from tools.entry_points import __main__ as program
from tools.entry_points.record import name_of, of_run


def test_every_door_has_a_row_with_what_was_seen_or_why_not() -> None:
    record = of_run(run_of(events(DOORS, lost="doors.tunnel", cause="ssh: refused\nmore")))
    rows = {row["door"]: row for row in record["doors"]}
    assert list(rows) == [claim.id for claim in DOORS.claims]
    assert (rows["doors.tunnel"]["state"], rows["doors.tunnel"]["cause"]) == ("failed", "ssh: refused")
    assert rows["doors.gradio"]["state"] == "not_offered"
    seen = {"command": "lmdeploy chat", "seconds": 1.5, "vram_mib": 34735, "characters_seen": 5, "picture": False}
    assert seen.items() <= rows["doors.chat_source"].items()
    assert (record["command"], record["versions"]["lmdeploy"]) == ("pytest -m doors", "0.18.0")


def test_a_rehearsal_is_named_as_one() -> None:
    assert name_of(of_run(run_of(events(DOORS)))) == "doors-0.18.0-h100.json"
    rehearsed = of_run(run_of(events(DOORS, rehearsal=True)))
    assert name_of(rehearsed) == "doors-0.18.0-rehearsal.json"
    assert {row["door"]: row["state"] for row in rehearsed["doors"]}["doors.chat_smaller_cache"] == "needs_gpu"


def test_a_run_without_doors_has_no_record() -> None:
    with pytest.raises(AcceptanceError, match="no door"):
        of_run(run_of(events(QUALITY)))


def test_the_program_writes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    synthetic.write(tmp_path / "run", entries(events(DOORS)))
    monkeypatch.setattr(program, "ROOT", tmp_path)
    monkeypatch.setattr("sys.argv", ["doors", str(tmp_path / "run")])
    program.main()
    file = tmp_path / capsys.readouterr().out.strip()
    assert json.loads(file.read_text(encoding="utf-8"))["run_id"] == "20261122T190000Z-1add"
