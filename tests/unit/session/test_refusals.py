"""Options that would make pytest-xprocess lose or repeat a server are refused before anything starts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.unit import pytest_processes

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
    plugins = ("-p", "fixtures.session.refusals", "-p", "xprocess.pytest_xprocess")
    finished = pytest_processes.run(tmp_path, *plugins, "-c", os.devnull, "--rootdir", ".", "-q", option, "test_it.py")
    expected = pytest.ExitCode.USAGE_ERROR if said else pytest.ExitCode.OK
    assert finished.ret == expected, finished.outlines
    assert said in finished.stderr.str()
