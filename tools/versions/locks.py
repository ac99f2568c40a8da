"""The locks: `requirements/lmdeploy-VERSION.txt` for a GPU, and the lighter `contract-VERSION.txt` made from it.

A lock names every distribution with its version, for all Pythons that the set supports.
uv resolves it, pip installs it.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

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

    Raises SystemExit where the set pins another lmdeploy, uv is not there, or a set cannot be resolved.
    """
    source = f"lmdeploy-{version}.in"
    # A set begins as a copy of the one before: with its pin, the lock would be that version's under another name.
    text = folder.joinpath(source).read_text(encoding="utf-8") if folder.joinpath(source).exists() else ""
    pinned = re.search(r"^lmdeploy(?:\[\w+\])?==(\S+)", text, re.MULTILINE)
    if pinned is None or pinned[1] != version:
        raise SystemExit(f"requirements/{source} pins {pinned[0] if pinned else 'no lmdeploy'}, not {version}")
    full = f"lmdeploy-{version}.txt"
    _resolve([source], full, version, folder, upgrade=upgrade)
    with tempfile.TemporaryDirectory() as temporary:
        constraints = Path(temporary) / "constraints.txt"
        constraints.write_text(shared(folder.joinpath(full).read_text(encoding="utf-8")), encoding="utf-8")
        lighter = [source, "--override", OVERRIDES, "--constraint", str(constraints), "--no-annotate"]
        _resolve(lighter, f"contract-{version}.txt", version, folder, upgrade=upgrade)


def shared(lock: str) -> str:
    """The lines of a GPU lock that the contract lock must not deviate from."""
    return "\n".join(line for line in lock.splitlines() if not _OF_TORCH.match(line)) + "\n"


def _resolve(inputs: Sequence[str], output: str, version: str, folder: Path, *, upgrade: bool) -> None:
    command = [program("uv"), "pip", "compile", "--quiet", "--universal", "--no-python-downloads"]
    command += ["--python-version", PYTHON, "--custom-compile-command", f"python -m tools.versions renew {version}"]
    command += [*(["--upgrade"] if upgrade else []), "--output-file", output, *inputs]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    if done.returncode:
        raise SystemExit(f"requirements/{output} cannot be resolved:\n{done.stderr.strip()}")


def program(name: str) -> str:
    """A program beside this Python, else on PATH."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise SystemExit(f"there is no `{name}` program: python -m pip install {name}")
    return found
