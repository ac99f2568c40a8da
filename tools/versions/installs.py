"""What it takes to install an environment, and what became of its tests: measured, kept in docs/records/versions.json.

Every install starts from nothing: a folder of its own, and pip without its cache.
"""

import json
import os
import platform
import shutil
import stat
import subprocess
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

from fixtures.lmdeploy.capabilities import in_order
from fixtures.lmdeploy.versions import RECORD, ROOT
from fixtures.run.units import MIB
from tools.records import processor_seconds, read, write
from tools.versions.locks import program

CONTRACT: Final = "contract"
PINS: Final = ("lmdeploy", "torch", "torchvision", "transformers", "tokenizers", "huggingface-hub", "datasets", "numpy")
"""Distributions whose versions are shown; all of them are in the lock."""

TIMEOUT_S: Final = 3600.0
"""For an install, 5 to 8 GB of wheels for a GPU, and for the contract tests, minutes measured."""

INSIDE: Final = """
import importlib.metadata as m, json, platform
versions = {d.name.lower().replace("_", "-"): d.version for d in m.distributions()}
print(json.dumps({"python": platform.python_version(), "versions": versions}))
"""
"""Asks an environment what is in it."""


def install(environment: str, python: str, *, test: bool, keep: bool) -> dict[str, Any]:
    """Install a tox environment from nothing, and run the tests of a contract environment; the result as recorded.

    :param python: interpreter, by path or as tox names it; empty for the one that tox chooses.
    """
    work_dir = ROOT / ".tox" / "recorded"
    folder = work_dir / environment
    shutil.rmtree(folder, ignore_errors=True)
    tox = [program("tox"), "run", "-e", environment, "--workdir", str(work_dir)]
    if python:
        tox += ["--override", f"testenv:{environment}.base_python={python}"]
    began, worked = time.monotonic(), processor_seconds()
    # With --notest, tox would leave out the part of the install that is in commands_pre.
    installed = _run([*tox, "--", "--version"], {"PIP_NO_CACHE_DIR": "1"})
    seconds, worked = time.monotonic() - began, processor_seconds() - worked
    inside = folder / "bin" / "python"
    found: dict[str, Any] = {"python": "", "versions": {}}
    if inside.exists():
        found = json.loads(_run([str(inside), "-c", INSIDE]).stdout)
    test = test and environment.startswith(CONTRACT) and installed.returncode == 0
    done = {
        "command": f"python -m tools.versions record {environment} --python python{_minor(found['python'])}",
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "python": found["python"],
        "platform": f"{platform.system()} {platform.machine()}",
        "lock": f"requirements/{environment}.txt",
        "distributions": len(found["versions"]),
        "pins": {name: found["versions"][name] for name in PINS if name in found["versions"]},
        "install_exit": installed.returncode,
        "install_seconds": round(seconds, 1),
        # Of pip and what it started: what the install costs a machine that has other work, too.
        "install_processor_seconds": round(worked, 1),
        "processors": os.cpu_count(),
        "install_mib": round(size(folder) / MIB),
        "failure": "" if installed.returncode == 0 else installed.stdout.strip()[-2000:],
        "tests": _test(tox, environment) if test else None,
    }
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)
    return done


def _minor(python: str) -> str:
    return ".".join(python.split(".")[:2])


def size(folder: Path) -> int:
    """Bytes that a folder's files take on disk."""
    files = (file.lstat() for file in folder.rglob("*"))
    return sum(found.st_blocks * 512 for found in files if stat.S_ISREG(found.st_mode))


def told(environment: str, done: Mapping[str, Any]) -> str:
    """One line for the console."""
    if done["install_exit"]:
        return f"{environment}: not installed: {(done['failure'] or 'no message').splitlines()[-1]}"
    text = f"{environment}: Python {done['python']}, {done['install_seconds']:.0f} s, {done['install_mib']} MiB"
    tests = done["tests"]
    return f"{text}; contract {tests.get('outcome', 'without a result')}, exit {tests['exit']}" if tests else text


def save(environment: str, done: Mapping[str, Any], record: Path = RECORD) -> None:
    """Put an install into the record, in place of an older one of the same environment and Python."""
    version = environment.partition("-")[2]
    versions = {version: {}, **read(record).get("versions", {})}
    versions[version].setdefault("environments", {})[f"{environment} python{_minor(done['python'])}"] = done
    write(record, {"schema": 1, "versions": {name: versions[name] for name in in_order(set(versions))}})


def _test(tox: Sequence[str], environment: str) -> dict[str, Any]:
    """Run the environment's own commands, and take the result that they leave."""
    file = ROOT / "reports" / environment / f"{CONTRACT}.json"
    file.unlink(missing_ok=True)
    began = time.monotonic()
    done = _run(tox)
    tests = {"exit": done.returncode, "seconds": round(time.monotonic() - began, 1)}
    if not file.exists():
        return {**tests, "failure": done.stdout.strip()[-2000:]}
    found = json.loads(file.read_text(encoding="utf-8"))
    others = [one for one in found["claims"] if one["state"] != "passed"]
    tests |= {key: found[key] for key in ("outcome", "passed", "total")}
    return {**tests, "claims": {one["id"]: {"state": one["state"], "cause": one["cause"]} for one in others}}


def _run(command: Sequence[str], more: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **(more or {})}
    return subprocess.run(
        command, cwd=ROOT, env=environment, timeout=TIMEOUT_S, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
