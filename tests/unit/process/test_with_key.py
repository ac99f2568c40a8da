"""The key reaches the program's arguments from the environment, and nobody else sees it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.lmdeploy.commands import WITH_KEY
from fixtures.process.with_key import VARIABLE

KEY = "sk-0123456789abcdef"
PROGRAM = """
import json, os, profile, subprocess, sys
child = subprocess.run([sys.executable, "-c", "import os; print(dict(os.environ))"], capture_output=True, text=True)
print(json.dumps({
    "name": __name__,
    "argv": sys.argv,
    "cmdline": open("/proc/self/cmdline").read(),
    "child": child.stdout,
    "profile": profile.__file__,
}))
"""


def told(*arguments: str, folder: Path) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, WITH_KEY, *arguments],
        env={**os.environ, VARIABLE: KEY, "PYTHONPATH": str(folder)},
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("how", ["script", "module"])
def test_a_program_gets_the_key_as_its_last_argument(how: str, tmp_path: Path) -> None:
    program = tmp_path / "served_program.py"
    program.write_text(PROGRAM)
    words = ("-m", "served_program") if how == "module" else (str(program),)
    found = told(*words, "serve", "--tp", "1", folder=tmp_path)
    assert found["argv"] == [str(program), "serve", "--tp", "1", "--api-keys", KEY]
    assert found["name"] == "__main__"
    assert KEY not in str(found["cmdline"]) + str(found["child"])
    assert VARIABLE not in str(found["child"])
    # This package has modules named like the standard library's.
    assert "fixtures" not in str(found["profile"])


def test_a_wrapper_in_another_language_gets_the_key_as_an_argument(tmp_path: Path) -> None:
    """Nothing else would reach the lmdeploy behind it."""
    program = tmp_path / "served_program.py"
    program.write_text(PROGRAM)
    wrapper = tmp_path / "lmdeploy"
    wrapper.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{program}" "$@"\n')
    wrapper.chmod(0o755)
    found = told(str(wrapper), "serve", folder=tmp_path)
    assert found["argv"] == [str(program), "serve", "--api-keys", KEY]
    assert VARIABLE not in str(found["child"])


def test_a_missing_key_is_an_error(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, WITH_KEY, "nothing.py"], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, VARIABLE in done.stderr) == (1, True)
