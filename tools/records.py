"""Measured figures as committed files: where they lie, what they are called, on what they were measured."""

import json
import os
import re
import resource
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from fixtures.errors import GpuError
from fixtures.evidence.events import EnvironmentRecorded
from fixtures.evidence.redaction import Private, redact
from fixtures.gpu.probe import open_probe
from fixtures.session.environment import git_state
from fixtures.session.environment import record as environment_of

ROOT: Final = Path(__file__).parents[1]
RECORDS: Final = ROOT / "docs" / "records"


def gpu_slug(gpu: str) -> str:
    """`NVIDIA H100 80GB HBM3` -> `h100-80gb-hbm3`; `rehearsal` where there is none. Memory size and kind stay: figures
    of two cards that share the first word are not the same figures."""
    return re.sub(r"[^a-z0-9]+", "-", gpu.lower()).strip("-").removeprefix("nvidia-") or "rehearsal"


def head(environment: EnvironmentRecorded, command: str, date: str, commit: str, dirty: bool) -> dict[str, Any]:
    """What a record says before its figures: the command that a user can run again, when, of what commit, on what.
    MiB."""
    return {
        "command": command,
        "date": date,
        "commit": f"{commit} and changes" if dirty else commit,
        "platform": environment.platform,
        "gpu": environment.gpu,
        "gpu_total_mib": environment.gpu_total_mib,
        "driver": environment.driver,
        "cuda": environment.cuda,
        "python": environment.python,
        "versions": environment.versions,
    }


def head_now(command: str) -> dict[str, Any]:
    """The head of a record that is made on this machine now, with its GPU where there is one."""
    try:
        with open_probe(os.environ, command=None, pattern="", total_gib=None) as probe:
            environment = environment_of(probe)
    except GpuError:
        environment = environment_of(None)
    date = datetime.now().astimezone().isoformat(timespec="seconds")
    return {**head(environment, command, date, *git_state(ROOT)), "processors": os.cpu_count()}


def processor_seconds() -> float:
    """Seconds of processors that the programs took which this one has started and which have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def read(file: Path) -> dict[str, Any]:
    """A record; an empty one where there is none."""
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return found


def write(file: Path, record: Mapping[str, Any], private: Private | None = None) -> None:
    """Write a record and the folders above it; raw samples, whose name says so, without indentation.

    :param private: left out, since the command may hold folders; None for what is private on this machine.
    :raises ValueError: a figure is not finite, which is no measurement.
    """
    indent = None if file.stem.endswith("-samples") else 1
    text = json.dumps(record, ensure_ascii=False, indent=indent, allow_nan=False) + "\n"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(redact(text, private or Private.of_this_machine()), encoding="utf-8")
