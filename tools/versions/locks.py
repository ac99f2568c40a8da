"""The locks: `requirements/lmdeploy-VERSION.txt` for a GPU, and the lighter `contract-VERSION.txt` made from it.

A lock names every distribution with its version, for all Pythons that the set supports.
uv resolves it, pip installs it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from fixtures.errors import LmdeployError
from fixtures.lmdeploy.versions import REQUIREMENTS

PYTHON: Final = "3.10"
"""The oldest Python of the suite; a lock holds for it and for newer ones."""

TIMEOUT: Final = 600.0
"""Seconds for one set: 10 to 30 measured with an empty cache, nearly all of it waiting for the index."""

OVERRIDES: Final = "contract-overrides.txt"
_OF_TORCH: Final = re.compile(r"^(torch|sympy|setuptools|cuda-|nvidia-)")
"""What the contract sets take with a torch of their own: torch and what torch pins."""


def renew(version: str, *, upgrade: bool = False, folder: Path = REQUIREMENTS) -> None:
    """Resolve both locks of a version again. Without `upgrade`, pins that still fit stay as they are.

    :raises LmdeployError: the set pins another lmdeploy, uv is not there, or a set cannot be resolved; uv's explanation
        is the detail.
    """
    source = f"lmdeploy-{version}.in"
    _check_pin(folder / source, version)
    full = f"lmdeploy-{version}.txt"
    _resolve([source], full, version, folder, upgrade=upgrade)
    with tempfile.TemporaryDirectory() as temporary:
        constraints = Path(temporary) / "constraints.txt"
        constraints.write_text(shared(folder.joinpath(full).read_text(encoding="utf-8")), encoding="utf-8")
        lighter = [source, "--override", OVERRIDES, "--constraint", str(constraints), "--no-annotate"]
        _resolve(lighter, f"contract-{version}.txt", version, folder, upgrade=upgrade)


def _check_pin(source: Path, version: str) -> None:
    """A set begins as a copy of the one before: with its pin, the lock would be that version's under another name."""
    where = f"requirements/{source.name}"
    if not source.exists():
        raise LmdeployError(f"there is no {source.name}", where=where, remedy="copy that of the newest version there")
    pinned = re.search(r"^lmdeploy(?:\[\w+\])?==(\S+)", source.read_text(encoding="utf-8"), re.MULTILINE)
    if pinned is None or pinned[1] != version:
        found = pinned[1] if pinned else "not at all"
        raise LmdeployError(
            f"{source.name} pins lmdeploy {found}", where=where, remedy=f"write lmdeploy=={version} there"
        )


def shared(lock: str) -> str:
    """The lines of a GPU lock that the contract lock must not deviate from."""
    return "\n".join(line for line in lock.splitlines() if not _OF_TORCH.match(line)) + "\n"


def uv() -> str:
    """The uv program beside this Python, else on PATH.

    :raises LmdeployError: there is none.
    """
    beside = Path(sys.executable).parent / "uv"
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        raise LmdeployError("there is no `uv` program", remedy="tox run -e locks, or `pip install uv`")
    return found


def _resolve(inputs: Sequence[str], output: str, version: str, folder: Path, *, upgrade: bool) -> None:
    command = [
        *(uv(), "pip", "compile", "--quiet", "--universal", "--python-version", PYTHON, "--no-python-downloads"),
        *("--custom-compile-command", f"python -m tools.versions renew {version}"),
        *(["--upgrade"] if upgrade else []),
        *("--output-file", output, *inputs),
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    if done.returncode:
        raise LmdeployError(
            f"{output} cannot be resolved",
            where=f"requirements/{inputs[0]}",
            remedy="change the pins that contradict each other",
            detail=done.stderr.strip(),
        )
