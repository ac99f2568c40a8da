"""lmdeploy releases newer than the newest tried, and what their command lines changed.

The index is asked by pip, and packages are installed by uv, each as it is configured on the machine. `docs/help` holds
the `--help` texts of the versions tried; they were taken with the same width, and with Python 3.11 throughout, because
argparse writes differently in other Pythons.
"""

import difflib
import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from packaging.version import Version

from fixtures.lmdeploy.versions import REQUIREMENTS
from tools.versions.locks import OVERRIDES, program

COMMANDS: Final = ((), ("lite", "auto_awq"), ("serve", "api_server"))
"""Commands whose help is kept: the program's own, which lists the subcommands, and the two that the homework uses."""

WIDTH: Final = "100"
"""Columns; argparse wraps its text to them."""

TIMEOUT_S: Final = 1800.0
"""For one program; the longest is an install with torch, 3 GB where the index has only its CUDA build."""

_PRINT_HELP: Final = """
import json, os, sys
from lmdeploy.cli import run
for command in json.loads(sys.argv[1]):
    print(" ".join(("$ lmdeploy", *command, "--help")), flush=True)
    child = os.fork()
    if child == 0:
        sys.argv = ["lmdeploy", *command, "--help"]
        run()
    if os.waitpid(child, 0)[1]:
        sys.exit(1)
    print(flush=True)
"""
"""Imports lmdeploy, and with it torch, once; its `run` builds the parser, which it can do once in a process."""


def published() -> list[str]:
    """Every final release that the configured index offers to this Python, oldest first."""
    done = _run([sys.executable, "-m", "pip", "index", "versions", "lmdeploy"])
    found = re.search(r"^Available versions: (.+)$", done, re.MULTILINE)
    if found is None:
        raise SystemExit(f"`pip index versions lmdeploy` names no release:\n{done.strip()}")
    return sorted((one.strip() for one in found[1].split(",")), key=Version)


def newer(versions: Sequence[str], than: str) -> list[str]:
    """Those that are newer; a new release of an older line, such as a security fix, is none of them."""
    return [one for one in versions if Version(one) > Version(than)]


def news(newest_tried: str, folder: Path) -> str:
    """Releases newer than the newest tried, as Markdown, with what the last one's help says otherwise; empty where
    there are none.

    :param folder: the help texts of the versions tried.
    """
    found = newer(published(), newest_tried)
    if not found:
        return ""
    with tempfile.TemporaryDirectory() as temporary:
        after = help_text(_install(found[-1], Path(temporary)))
    before = folder.joinpath(f"{newest_tried}.txt").read_text(encoding="utf-8")
    return told(found, newest_tried, before, after)


def told(found: Sequence[str], newest_tried: str, before: str, after: str) -> str:
    """The news, with the help texts of both versions compared line by line."""
    head = f"lmdeploy {', '.join(found)} appeared; the newest tried is {newest_tried}."
    lines = list(
        difflib.unified_diff(before.splitlines(), after.splitlines(), newest_tried, found[-1], lineterm="", n=1)
    )
    if not lines:
        return f"{head}\n\n`--help` of {found[-1]} is the same."
    return "\n".join([head, "", f"Changes of `--help` in {found[-1]}:", "", "```diff", *lines, "```"])


def write_help(folder: Path) -> Path:
    """Keep the help texts of the lmdeploy beside this Python, under its version. Returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{importlib.metadata.version('lmdeploy')}.txt"
    file.write_text(help_text(Path(sys.executable)), encoding="utf-8")
    return file


def help_text(python: Path) -> str:
    """The help of each of the commands, under a line that shows it.

    :param python: the interpreter that lmdeploy is installed for.
    """
    return _run([str(python), "-W", "ignore", "-c", _PRINT_HELP, json.dumps(COMMANDS)])


def _install(version: str, folder: Path) -> Path:
    """lmdeploy in an environment of its own, as light as a contract environment. Returns its interpreter."""
    python, uv = folder / "bin" / "python", program("uv")
    into = [uv, "pip", "install", "--quiet", "--python", str(python)]
    _run([uv, "venv", "--quiet", "--python", sys.executable, str(folder), "--allow-existing"])
    held = ["--override", str(REQUIREMENTS / OVERRIDES), "-r", str(REQUIREMENTS / "transformers-4.57.in")]
    _run([*into, *held, f"lmdeploy=={version}"])
    _run([*into, "-r", str(REQUIREMENTS / "contract-torch.txt")])
    return python


def _run(command: Sequence[str]) -> str:
    """Standard output of a command that must succeed."""
    environment = {**os.environ, "COLUMNS": WIDTH, "CUDA_VISIBLE_DEVICES": "", "PYTHONUTF8": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    if done.returncode:
        shown = " ".join((Path(command[0]).name, *command[1:4]))
        raise SystemExit(f"`{shown} ...` failed:\n{done.stderr.strip()[-3000:]}")
    return done.stdout
