"""Measured figures as committed files: where they lie, what they are called, on what they were measured."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from fixtures.evidence.events import EnvironmentRecorded
from fixtures.evidence.redaction import Private, redact

RECORDS: Final = Path("docs") / "records"
"""Below the project's root."""


def slug(text: str) -> str:
    """Letters and digits, with single hyphens between."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def gpu_slug(gpu: str) -> str:
    """`NVIDIA H100 80GB HBM3` -> `h100-80gb-hbm3`; `gpu` where there is no name. Memory size and kind stay: figures of
    two cards that share the first word are not the same figures."""
    return slug(gpu).removeprefix("nvidia-") or "gpu"


def head(environment: EnvironmentRecorded, command: str, now: datetime) -> dict[str, Any]:
    """What a record says before its figures: the command that a user can run again, when, on what. MiB."""
    return {
        "command": command,
        "date": now.isoformat(timespec="seconds"),
        "gpu": environment.gpu,
        "gpu_total_mib": environment.gpu_total_mib,
        "driver": environment.driver,
        "cuda": environment.cuda,
        "python": environment.python,
        "versions": environment.versions,
    }


def write(file: Path, record: Mapping[str, Any], private: Private | None = None) -> None:
    """Write a record and the folders above it.

    :param private: left out, since the command may hold folders; None for what is private on this machine.
    :raises ValueError: a figure is not finite, which is no measurement.
    """
    text = json.dumps(record, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(redact(text, private or Private.of_this_machine()), encoding="utf-8")
