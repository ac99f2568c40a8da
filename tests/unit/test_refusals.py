"""Options that would make pytest-xprocess lose or repeat a server are refused before anything starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.waiting import ROOT

TEST = """
def pytest_addoption(parser):
    parser.addoption("--reruns", type=int)  # as pytest-rerunfailures has it
"""


@pytest.mark.parametrize(
    ("uses", "option", "said"),
    [
        ("xprocess", "-pno:cacheprovider", "keeps its process folder in pytest's cache"),
        ("xprocess", "--reruns=2", "a rerun starts the server again"),
        ("xprocess", "--reruns=0", ""),
        ("tmp_path", "--reruns=2", ""),
    ],
)
def test_refused_where_a_server_is_used(tmp_path: Path, uses: str, option: str, said: str) -> None:
    (tmp_path / "conftest.py").write_text(TEST)
    (tmp_path / "test_it.py").write_text(f"def test_it({uses}): pass\n")
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "fixtures.refusals", "-p", "xprocess.pytest_xprocess",
         "-c", os.devnull, "--rootdir", ".", "-q", option, "test_it.py"],
        cwd=tmp_path, capture_output=True, timeout=30, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )  # fmt: skip
    expected = pytest.ExitCode.USAGE_ERROR if said else pytest.ExitCode.OK
    assert finished.returncode == expected, finished.stdout
    assert said in finished.stderr.decode()
