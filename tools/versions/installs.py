"""What it takes to install an environment, and what became of its tests: measured, kept in docs/records/versions.json.

Every install starts from nothing: a folder of its own, and pip without its cache.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

from packaging.version import Version

from fixtures.errors import LmdeployError
from fixtures.lmdeploy.versions import REQUIREMENTS, ROOT
from tools.timed import processor_seconds

SCHEMA: Final = 1
CONTRACT: Final = "contract"
BYTES_PER_MIB: Final = 1 << 20
PINS: Final = ("lmdeploy", "torch", "torchvision", "transformers", "tokenizers", "huggingface-hub", "datasets", "numpy")
"""Distributions whose versions are shown; all of them are in the lock."""

INSTALL_TIMEOUT: Final = 3600.0
"""Seconds; a GPU set is 5 to 8 GB of wheels."""

TEST_TIMEOUT: Final = 3600.0
"""Seconds for the contract tests: minutes measured, and a machine without a GPU may be slow."""


@dataclass(frozen=True)
class Done:
    """One environment, installed once."""

    command: str
    date: str
    python: str
    platform: str
    lock: str
    distributions: int
    pins: Mapping[str, str]
    install_exit: int
    install_seconds: float
    install_processor_seconds: float
    """Of pip and what it started: what the install costs a machine that has other work, too."""
    processors: int
    install_mib: int
    """On disk, with its Python environment, after the install."""
    failure: str
    """The last lines of a failed install, or nothing."""
    tests: Mapping[str, Any] | None
    """Of a contract environment: `exit`, `seconds`, and the `outcome`, `held`, `total` and `claims` that it reports."""

    @property
    def good(self) -> bool:
        return self.install_exit == 0 and (self.tests is None or self.tests["exit"] == 0)


def install(environment: str, python: str, *, install_only: bool, keep: bool) -> Done:
    """Install a tox environment from nothing, and run the tests of a contract environment.

    :param python: interpreter, by path or as tox names it; empty for the one that tox chooses.
    :raises LmdeployError: tox is not there.
    """
    work_dir = ROOT / ".tox" / "recorded"
    folder = work_dir / environment
    shutil.rmtree(folder, ignore_errors=True)
    tox = [_tox(), "run", "-e", environment, "--workdir", str(work_dir)]
    if python:
        tox += ["--override", f"testenv:{environment}.base_python={python}"]
    began, worked = time.monotonic(), processor_seconds()
    # With --notest, tox would leave out the part of the install that is in commands_pre.
    installed = _run([*tox, "--", "--version"], {"PIP_NO_CACHE_DIR": "1"}, INSTALL_TIMEOUT)
    seconds, worked = time.monotonic() - began, processor_seconds() - worked
    found = _inside(folder)
    tests = None
    if installed.returncode == 0 and environment.startswith(CONTRACT) and not install_only:
        tests = _test(tox, environment)
    done = Done(
        command=shown_command(environment, found["python"], install_only=install_only),
        date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        python=found["python"],
        platform=f"{platform.system()} {platform.machine()}",
        lock=f"requirements/{environment}.txt",
        distributions=len(found["versions"]),
        pins={name: found["versions"][name] for name in PINS if name in found["versions"]},
        install_exit=installed.returncode,
        install_seconds=round(seconds, 1),
        install_processor_seconds=round(worked, 1),
        processors=os.cpu_count() or 0,
        install_mib=round(size(folder) / BYTES_PER_MIB),
        failure="" if installed.returncode == 0 else _plain(installed.stdout)[-2000:],
        tests=tests,
    )
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)
    return done


def shown_command(environment: str, python: str, *, install_only: bool) -> str:
    """The command as another machine would run it."""
    words = ["python -m tools.versions record", environment]
    if python:
        words.append(f"--python python{'.'.join(python.split('.')[:2])}")
    if install_only and environment.startswith(CONTRACT):
        words.append("--install-only")
    return " ".join(words)


def size(folder: Path) -> int:
    """Bytes that a folder takes on disk; a file with several names counts once, a link not at all."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for file in folder.rglob("*"):
        found = file.lstat()
        if stat.S_ISREG(found.st_mode) and (found.st_dev, found.st_ino) not in seen:
            seen.add((found.st_dev, found.st_ino))
            total += found.st_blocks * 512
    return total


def save(record: Path, environment: str, done: Done) -> None:
    """Put an install into the record, in place of an older one of the same environment and Python."""
    document = _read(record)
    version = environment.partition("-")[2]
    kept = document["versions"].setdefault(version, {}).setdefault("environments", {})
    minor = ".".join(done.python.split(".")[:2]) or "unknown"
    kept[f"{environment} python{minor}"] = asdict(done)
    _write(record, document)


def record_gpu(record: Path, version: str, *, report: Path | None, none: str | None) -> None:
    """Put a GPU run's verdict into the record, or the reason why there is none.

    :raises LmdeployError: both or neither are given, the version is not one of the suite's, or the report is about
        another version.
    """
    if not REQUIREMENTS.joinpath(f"lmdeploy-{version}.in").exists():
        raise LmdeployError(f"there is no environment for lmdeploy {version}", where="requirements/")
    if (report is None) == (none is None):
        raise LmdeployError("a GPU run has a report, or a reason why there is none", remedy="give --report or --none")
    document = _read(record)
    document["versions"].setdefault(version, {})["gpu"] = (
        {"run": False, "why": none} if report is None else gpu_result(report, version)
    )
    _write(record, document)


def gpu_result(report: Path, version: str) -> dict[str, Any]:
    """What a run's report.json says, without what is in the report only.

    :raises LmdeployError: the report is about another version.
    """
    found = json.loads(report.read_text(encoding="utf-8"))
    environment = found["environment"]
    ran = environment["versions"].get("lmdeploy", "none")
    if ran != version:
        raise LmdeployError(f"the report is about lmdeploy {ran}", where=str(report), remedy=f"give one of {version}")
    return {
        "run": True,
        "run_id": found["run_id"],
        "date": found["started_at"],
        "command": " ".join(found["suite"]["argv"]),
        "commit": found["suite"]["commit"],
        "gpu": environment["gpu"],
        "driver": environment["driver"],
        "python": environment["python"],
        "versions": environment["versions"],
        "seconds": found["seconds"],
        "outcome": found["verdict"]["outcome"],
        "held": found["verdict"]["held"],
        "total": found["verdict"]["total"],
        "claims": _others(found["claims"]),
    }


def told(environment: str, done: Done) -> str:
    """One line for the console."""
    if done.install_exit:
        return f"{environment}: not installed: {done.failure.splitlines()[-1] if done.failure else 'no message'}"
    took = f"{done.install_seconds:.0f} s ({done.install_processor_seconds:.0f} s of processor)"
    text = f"{environment}: Python {done.python}, {took}, {done.install_mib} MiB"
    if done.tests is None:
        return text
    return f"{text}; contract {done.tests.get('outcome', 'without a result')}, exit {done.tests['exit']}"


def _test(tox: Sequence[str], environment: str) -> dict[str, Any]:
    """Run the environment's own commands, and take the result that they leave."""
    file = ROOT / "reports" / environment / f"{CONTRACT}.json"
    file.unlink(missing_ok=True)
    began = time.monotonic()
    done = _run(list(tox), {}, TEST_TIMEOUT)
    tests: dict[str, Any] = {"exit": done.returncode, "seconds": round(time.monotonic() - began, 1)}
    if file.exists():
        found = json.loads(file.read_text(encoding="utf-8"))
        tests |= {key: found[key] for key in ("outcome", "held", "total")}
        tests["claims"] = _others(found["claims"])
    elif done.returncode:
        tests["failure"] = _plain(done.stdout)[-2000:]
    return tests


def _others(claims: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """The claims that did not hold: their state and its cause."""
    return {one["id"]: {"state": one["state"], "cause": one["cause"]} for one in claims if one["state"] != "held"}


def _inside(folder: Path) -> dict[str, Any]:
    """Python and distributions of an environment, as it says itself; nothing where it is not there."""
    python = folder / "bin" / "python"
    if not python.exists():
        return {"python": "", "versions": {}}
    program = (
        "import importlib.metadata as m, json, platform;"
        "print(json.dumps({'python': platform.python_version(),"
        "'versions': {d.name.lower().replace('_', '-'): d.version for d in m.distributions()}}))"
    )
    done = subprocess.run([str(python), "-c", program], capture_output=True, text=True, timeout=60, check=True)
    inside: dict[str, Any] = json.loads(done.stdout)
    return inside


def _run(command: Sequence[str], more: Mapping[str, str], timeout: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )


def _plain(text: str) -> str:
    """Output without this machine's folders."""
    return text.replace(str(ROOT), ".").replace(str(Path.home()), "~").strip()


def _tox() -> str:
    beside = Path(sys.executable).parent / "tox"
    found = str(beside) if beside.exists() else shutil.which("tox")
    if found is None:
        raise LmdeployError("there is no `tox` program", remedy="python -m pip install tox")
    return found


def _read(record: Path) -> dict[str, Any]:
    if not record.exists():
        return {"schema": SCHEMA, "versions": {}}
    document: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
    return document


def _write(record: Path, document: Mapping[str, Any]) -> None:
    record.parent.mkdir(parents=True, exist_ok=True)
    versions = sorted(document["versions"].items(), key=lambda one: Version(one[0]))
    document = {**document, "versions": dict(versions)}
    temporary = record.with_suffix(".tmp")
    temporary.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    temporary.replace(record)
