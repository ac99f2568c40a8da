"""What a command took: its exit code, its seconds, the folder that it filled."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def timed(out: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools.timed", "--out", str(out), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_record_tells_what_ran_and_what_it_took(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    script = f"import time; time.sleep(0.2); open({str(folder / 'file')!r}, 'wb').write(b'x' * 2**20)"
    finished = timed(tmp_path / "r.json", "--folder", str(folder), "--", sys.executable, "-c", script)
    record = json.loads((tmp_path / "r.json").read_text())
    assert (finished.returncode, record["exit_code"]) == (0, 0)
    assert 0.2 <= record["seconds"] < 5
    assert 1.0 <= record["folder_mib"] < 1.1
    assert "time.sleep(0.2)" in record["command"]


def test_a_file_with_two_names_counts_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 2**20)
    os.link(tmp_path / "a", tmp_path / "b")
    timed(tmp_path.parent / "two.json", "--folder", str(tmp_path), "--", "true")
    assert json.loads((tmp_path.parent / "two.json").read_text())["folder_mib"] < 1.1


def test_a_failing_command_fails(tmp_path: Path) -> None:
    assert timed(tmp_path / "r.json", "--", sys.executable, "-c", "raise SystemExit(3)").returncode == 3
    assert json.loads((tmp_path / "r.json").read_text())["exit_code"] == 3


def test_no_command_is_refused(tmp_path: Path) -> None:
    finished = timed(tmp_path / "r.json")
    assert finished.returncode == 2
    assert "no command" in finished.stderr
