"""A suite is its folder: the others do not know it, and a tree without it still collects and judges."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.evidence import Evidence
from fixtures.evidence.events import RunStarted
from fixtures.suites import FOLDER, names
from tests.unit.test_rooms import ROOT, imports


@pytest.mark.parametrize("suite", names())
def test_suite_imports_no_other(suite: str) -> None:
    others = tuple(f"tests.acceptance.{name}." for name in names() if name != suite)
    found = imports((FOLDER / suite).rglob("*.py"))
    assert [one for one in found if f"{one[1]}.".startswith((*others, "tools."))] == []


def test_homework_is_collected_and_judged_without_any_suite(tmp_path: Path) -> None:
    acceptance = tmp_path / "tests" / "acceptance"
    acceptance.mkdir(parents=True)
    for file in (ROOT / "conftest.py", ROOT / "pytest.ini"):
        shutil.copy(file, tmp_path)
    for file in FOLDER.glob("*.py"):
        shutil.copy(file, acceptance)
    for name in ("fixtures", "tools", "tests/__init__.py"):
        (tmp_path / name).symlink_to(ROOT / name)
    run = Evidence(tmp_path / "run")
    run.append(RunStarted("20261122T190000Z-1add", ["pytest", "-m", "gpu"], {}, {}, "", False))
    run.close()
    collected, verified = (
        subprocess.run([sys.executable, "-m", *command], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        for command in (
            ("pytest", "tests", "-m", "gpu", "--collect-only", "-q"),
            ("fixtures.evidence", "verify", "run", "--lang", "en"),
        )
    )
    assert collected.returncode == 0, collected.stdout
    assert "test_quantization.py" in collected.stdout
    assert "20261122T190000Z-1add: NOT ACCEPTED" in verified.stdout
