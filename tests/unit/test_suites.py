"""A suite is its folder: the others do not know it, and a tree without it still collects and judges."""

from __future__ import annotations

import ast
import itertools
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.evidence import Evidence
from fixtures.evidence.events import RunStarted
from fixtures.suites import FOLDER, names

ROOT = FOLDER.parents[1]


@pytest.mark.parametrize("suite", names())
def test_suite_imports_no_other(suite: str) -> None:
    others = tuple(f"tests.acceptance.{name}" for name in names() if name != suite)
    wrong = [
        f"{file.relative_to(ROOT)}:{node.lineno} imports {node.module}"
        for file in sorted((FOLDER / suite).rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith((*others, "tools"))
    ]
    assert wrong == []


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
            ("fixtures.evidence", "verify", "run"),
        )
    )
    assert collected.returncode == 0, collected.stdout
    assert "test_quantization.py" in collected.stdout
    assert "20261122T190000Z-1add: NOT ACCEPTED" in verified.stdout


def test_tests_of_one_server_or_fault_come_together() -> None:
    """Else it would be started again for each of them."""
    command = ("pytest", "tests", "-m", "ladder or performance or gpu_faults", "--collect-only", "-q")
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, timeout=60)
    found = re.findall(r"(/test_\w+\.py)::(?:TestEachRung::)?\w+\[([\w.-]+)\]", done.stdout)
    shared = [one for one in found if one[1] not in ("int8", "int4")]
    groups = [group for group, _ in itertools.groupby(shared)]
    assert len(groups) == len(set(groups)) > 10, done.stdout
