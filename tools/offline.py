"""`python -m tools.offline pack VERSION FOLDER`: an lmdeploy version's environment for a machine without a network.

Pack where there is a network, with a Python of the same minor version and platform as on the GPU's machine; carry
FOLDER there with the checkout, and run the two commands that are printed. Versions may share a FOLDER: what their locks
have in common is in it once.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from fixtures.lmdeploy.versions import REQUIREMENTS, tried
from fixtures.run.units import GIB

TIMEOUT_S: Final = 3600.0
"""For one program of pip; the longest fetches 4 to 5 GB of wheels."""


def fetch(lock: Path, folder: Path, python: str) -> None:
    """Put a wheel of everything that `python` needs of a lock into a folder. What has no wheel is built."""
    found = ["--find-links", str(folder), "--requirement", str(lock)]
    _pip(python, "wheel", "--no-deps", "--wheel-dir", str(folder), *found)


def write_list(lock: Path, folder: Path, python: str) -> list[Path]:
    """Write the list from which pip installs these wheels and nothing else: under the lock's name, with the SHA-256 of
    each. Returns the wheels.

    It is made of what pip would install without an index, so that what is missing is said here, not on the other
    machine.
    """
    ask = ("--dry-run", "--ignore-installed", "--quiet", "--report", "-", "--no-index", "--requirement", str(lock))
    # Not as an option, which would only be added to what this machine's pip is told to look into.
    plan = json.loads(_pip(python, "install", *ask, PIP_FIND_LINKS=str(folder)))["install"]
    lines = (
        f"{one['metadata']['name']}=={one['metadata']['version']}"
        f" --hash=sha256:{one['download_info']['archive_info']['hashes']['sha256']}\n"
        for one in plan
    )
    (folder / lock.name).write_text("".join(sorted(lines, key=str.lower)), encoding="ascii")
    return [folder / Path(unquote(urlsplit(one["download_info"]["url"]).path)).name for one in plan]


def commands(lock: Path, folder: Path, python: str) -> list[str]:
    """What to type in the checkout on the other machine."""
    name = Path(python).name
    install = f".venv/bin/python -m pip install --no-index --find-links {folder.name} --require-hashes"
    return [f"{name} -m venv .venv", f"{install} -r {folder.name}/{lock.name}"]


def _pip(python: str, *words: str, **more: str) -> str:
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **more}
    done = subprocess.run(
        [python, "-m", "pip", *words], env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    if done.returncode:
        raise SystemExit(f"`pip {words[0]}` failed:\n{done.stderr.strip()[-3000:]}")
    return done.stdout


def main(words: Sequence[str]) -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(prog="python -m tools.offline", description=__doc__)
    parser.add_argument("command", choices=["pack"])
    parser.add_argument("version", choices=tried(), help="lmdeploy version", metavar="VERSION")
    parser.add_argument("folder", type=Path, help="folder for the wheels", metavar="FOLDER")
    parser.add_argument("--python", default=sys.executable, help="interpreter to pack for (default: this one)")
    given = parser.parse_args(words)
    lock = REQUIREMENTS / f"lmdeploy-{given.version}.txt"
    fetch(lock, given.folder, given.python)
    wheels = write_list(lock, given.folder, given.python)
    print(f"{len(wheels)} wheels, {sum(wheel.stat().st_size for wheel in wheels) / GIB:.1f} GiB. On the other machine:")
    print("\n".join(commands(lock, given.folder, given.python)))


if __name__ == "__main__":
    main(sys.argv[1:])
