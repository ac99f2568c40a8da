"""Which lmdeploy releases are newer than the newest tried, and what their command lines changed.

The index is asked by pip, and packages are installed by uv, each as it is configured on the machine. `docs/help` holds
the `--help` texts of the versions tried; they were taken with the same width, and with Python 3.11 throughout, because
argparse writes differently in other Pythons.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packaging.version import Version

from fixtures.errors import LmdeployError
from fixtures.lmdeploy.versions import REQUIREMENTS
from tools.versions.locks import OVERRIDES, uv

COMMANDS: Final = ((), ("lite", "auto_awq"), ("serve", "api_server"))
"""Whose help is kept: the program's own, which lists the subcommands, and the two that the homework uses."""

WIDTH: Final = "100"
"""Columns; argparse wraps its text to them."""

INDEX_TIMEOUT: Final = 120.0
"""Seconds for pip to list the releases; one request."""

INSTALL_TIMEOUT: Final = 1800.0
"""Seconds for an environment with torch: 3 GB where the index has only its CUDA build."""

HELP_TIMEOUT: Final = 300.0
"""Seconds for all help texts: 10 to 15 of processor time, nearly all of it importing torch."""

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

_HEADING: Final = "$ lmdeploy"
_ENTRY: Final = re.compile(r"^ {2,4}(?=\S)")
"""argparse indents an option by 2 columns, a subcommand by 4, and what is said of them by 6 or more."""


@dataclass(frozen=True)
class HelpChange:
    """What one command's help says otherwise: each option or subcommand as it is written there."""

    command: str
    added: Sequence[str]
    gone: Sequence[str]
    changed: Sequence[tuple[str, str]]
    """Text before and after."""


@dataclass(frozen=True)
class News:
    """A release that the suite has no environment for, and its command lines against the newest tried."""

    version: str
    newest_tried: str
    changes: Sequence[HelpChange]


def published() -> list[str]:
    """Every final release that the configured index offers to this Python, oldest first.

    :raises LmdeployError: pip could not ask, or its answer names no release.
    """
    done = _run([sys.executable, "-m", "pip", "index", "versions", "lmdeploy"], INDEX_TIMEOUT)
    found = re.search(r"^Available versions: (.+)$", done, re.MULTILINE)
    if found is None:
        raise LmdeployError("pip names no lmdeploy release", where="pip index versions lmdeploy", detail=done.strip())
    return sorted((one.strip() for one in found[1].split(",")), key=Version)


def newer(versions: Sequence[str], than: str) -> list[str]:
    """Those that are newer; a new release of an older line, such as a security fix, is none of them."""
    return [one for one in versions if Version(one) > Version(than)]


def news(tried: Sequence[str], folder: Path) -> list[News]:
    """The newest release, if it is newer than all that were tried, and what its help says otherwise.

    :param folder: the help texts of the versions tried.
    """
    newest_tried = tried[-1]
    found = newer(published(), newest_tried)
    if not found:
        return []
    before = folder.joinpath(f"{newest_tried}.txt").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as temporary:
        after = help_text(_install(found[-1], Path(temporary)))
    changes = compared(before, after)
    return [News(one, newest_tried, changes if one == found[-1] else ()) for one in found]


def told(found: Sequence[News]) -> str:
    """The news as Markdown."""
    if not found:
        return "No lmdeploy release is newer than the newest tried."
    last = found[-1]
    lines = [
        f"lmdeploy {', '.join(one.version for one in found)} appeared; the newest tried is {last.newest_tried}.",
        "",
        f"What `--help` of {last.version} changed:" if last.changes else f"`--help` of {last.version} is the same.",
    ]
    for change in last.changes:
        lines += ["", f"`{change.command}`", ""]
        lines += [f"- new: {_code(text)}" for text in change.added]
        lines += [f"- gone: {_code(text)}" for text in change.gone]
        lines += [f"- was: {_code(before)}\n  now: {_code(after)}" for before, after in change.changed]
    return "\n".join(lines)


def _code(text: str) -> str:
    """Text that has backquotes of its own, as code in Markdown."""
    return "`" + text.replace("`", "'") + "`"


def write_help(folder: Path) -> Path:
    """Keep the help texts of the lmdeploy beside this Python, under its version. Returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{importlib.metadata.version('lmdeploy')}.txt"
    file.write_text(help_text(Path(sys.executable)), encoding="utf-8")
    return file


def help_text(python: Path) -> str:
    """The help of each of the commands, under a line that shows it.

    :param python: the interpreter that lmdeploy is installed for.
    :raises LmdeployError: the program ended with an error.
    """
    return _run([str(python), "-W", "ignore", "-c", _PRINT_HELP, json.dumps(COMMANDS)], HELP_TIMEOUT)


def entries(text: str) -> dict[str, dict[str, str]]:
    """What each command's help lists: option or subcommand to its text, with single spaces.

    An option that several groups list, one for each engine, has the texts that differ, one after the other.
    """
    found: dict[str, dict[str, list[str]]] = {}
    command: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith(_HEADING):
            command = found.setdefault(line.removeprefix("$ "), {})
            lines = []
        elif _ENTRY.match(line):
            lines = command.setdefault(line.split()[0].rstrip(","), [])
            lines.append(line.strip())
        elif line.startswith(" ") and lines:
            lines[-1] += " " + line.strip()
        else:
            lines = []
    return {name: {key: _distinct(texts) for key, texts in one.items()} for name, one in found.items()}


def _distinct(texts: Sequence[str]) -> str:
    return " / ".join(dict.fromkeys(" ".join(text.split()) for text in texts))


def compared(before: str, after: str) -> list[HelpChange]:
    """The commands whose help lists something else, in the order of the newer text."""
    old, new = entries(before), entries(after)
    changes = (_change(command, old.get(command, {}), listed) for command, listed in new.items())
    return [one for one in changes if one.added or one.gone or one.changed]


def _change(command: str, old: Mapping[str, str], new: Mapping[str, str]) -> HelpChange:
    return HelpChange(
        command=command,
        added=[text for key, text in new.items() if key not in old],
        gone=[text for key, text in old.items() if key not in new],
        changed=[(old[key], text) for key, text in new.items() if key in old and old[key] != text],
    )


def _install(version: str, folder: Path) -> Path:
    """lmdeploy in an environment of its own, as light as a contract environment. Returns its interpreter."""
    python = folder / "bin" / "python"
    into = [uv(), "pip", "install", "--quiet", "--python", str(python)]
    _run([uv(), "venv", "--quiet", "--python", sys.executable, str(folder), "--allow-existing"], INSTALL_TIMEOUT)
    held = ["--override", str(REQUIREMENTS / OVERRIDES), "-r", str(REQUIREMENTS / "transformers-4.57.in")]
    _run([*into, *held, f"lmdeploy=={version}"], INSTALL_TIMEOUT)
    _run([*into, "-r", str(REQUIREMENTS / "contract-torch.txt")], INSTALL_TIMEOUT)
    return python


def _run(command: Sequence[str], timeout: float) -> str:
    """Standard output of a command that must succeed."""
    environment = {**os.environ, "COLUMNS": WIDTH, "CUDA_VISIBLE_DEVICES": "", "PYTHONUTF8": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode:
        shown = " ".join((Path(command[0]).name, *command[1:4], "..."))
        raise LmdeployError(f"`{shown}` failed", remedy="see what it wrote", detail=done.stderr.strip()[-3000:])
    return done.stdout
