"""The key reaches the program's arguments from the environment, and nobody else sees it."""

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


@pytest.mark.parametrize("how", ["script", "module", "wrapper"])
def test_program_gets_the_key_as_its_last_argument(how: str, tmp_path: Path) -> None:
    program, wrapper = tmp_path / "served_program.py", tmp_path / "lmdeploy"
    program.write_text(PROGRAM)
    wrapper.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{program}" "$@"\n')
    wrapper.chmod(0o755)
    words = {"script": [str(program)], "module": ["-m", "served_program"], "wrapper": [str(wrapper)]}[how]
    done = subprocess.run(
        [sys.executable, WITH_KEY, *words, "serve", "--tp", "1"],
        env={**os.environ, VARIABLE: KEY, "PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert found["argv"] == [str(program), "serve", "--tp", "1", "--api-keys", KEY]
    assert found["name"] == "__main__"
    assert (KEY in found["cmdline"]) is (how == "wrapper"), "nothing else would reach the lmdeploy behind it"
    assert KEY not in found["child"]
    assert VARIABLE not in found["child"]
    assert "fixtures" not in found["profile"], "this package has modules named like the standard library's"


def test_missing_key_is_an_error(tmp_path: Path) -> None:
    argv = [sys.executable, WITH_KEY, "nothing.py"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, VARIABLE in done.stderr) == (1, True)
