"""A forked pytest is a process of its own, and has not much left to import."""

import json
import os
import signal
from pathlib import Path

import pytest

from tests.unit.pytest_processes import LATE, PLUGINS, SOME, run, start
from tests.unit.waiting import eventually

TOLD = """
import json, os, sys
told = {"modules": list(sys.modules), "folder": os.getcwd(), "session": os.getsid(0), "environment": dict(os.environ)}
json.dump(told, open("told", "w"))

def test_it():
    print("here")
    assert 1 == 2
"""


def test_it_has_its_own_folder_environment_session_output_and_exit_code(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TOLD)
    before = dict(os.environ), Path.cwd(), signal.getsignal(signal.SIGINT)
    ended = run(tmp_path, "-p", "no:cacheprovider", environment={"ONLY": "this"})
    assert ended.ret == pytest.ExitCode.TESTS_FAILED
    ended.assert_outcomes(failed=1)
    ended.stdout.fnmatch_lines(["*assert 1 == 2*", "here"])
    told = json.loads((tmp_path / "told").read_text())
    assert told["folder"] == str(tmp_path)
    assert told["session"] != os.getsid(0)
    assert set(told["environment"]) - {"LC_CTYPE"} >= {"ONLY"}
    assert not {"PATH", "HOME"} & set(told["environment"])
    assert before == (dict(os.environ), Path.cwd(), signal.getsignal(signal.SIGINT))
    assert {*PLUGINS, *SOME, *LATE} <= set(told["modules"]), "each run would import them anew"


def test_a_signal_ends_it_and_is_told(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import time\ndef test_it():\n    open('here', 'w').close()\n    time.sleep(60)"
    )
    process = start(tmp_path)
    try:
        eventually((tmp_path / "here").exists)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    finally:
        process.kill()
