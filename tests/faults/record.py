"""The record of a run of the catalogue, and the table that is made of it."""

import json
import os
import platform
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

import pytest

from tests.faults.catalogue import FAULTS, HEALTHY_RUNS, Fault
from tools.tables import markdown

ROOT: Final = Path(__file__).parents[2]
RECORD: Final = ROOT / "docs" / "records" / "faults.json"
TABLE: Final = ROOT / "docs" / "faults.md"

COMMAND: Final = "python -m tests.faults"

LONGEST_MESSAGE: Final = 160
"""Characters of a message in the table; the whole of it is in the record."""

COLUMNS: Final = ("fault", "caught by", "message", "seconds")

INTRODUCTION: Final = """\
Each fault is put into a real run of the suite in a process of its own. Only lmdeploy and the GPU are stand-ins: it
really quantizes, speaks the protocol that was recorded on a GPU, and its memory is what NVML's functions report. Files
are broken, signals sent and resources taken away for real. `seconds` count from the fault, where it has a moment of its
own, or from the start of the run, to the verdict on the claim.
"""

CAUGHT_BY: Final = {
    "accepted": "nothing: it must not matter, and the run is accepted",
    "refused": "pytest, before anything is started",
    "full": "pytest, with an internal error and an unfinished page in the report's place",
    "sealed": "`python -m fixtures.evidence verify`",
}


class Recorder:
    """pytest plugin: collects what the tests of this folder say about themselves, from all workers."""

    def __init__(self) -> None:
        self._faults: dict[str, dict[str, Any]] = {}
        self._healthy: dict[int, bool] = {}
        self._leftovers: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take over a finished test's properties."""
        said: dict[str, Any] = dict(report.user_properties)
        if report.when != "call" or not said:
            return
        self._leftovers += said["leftovers"]
        if "healthy" in said:
            self._healthy[said["healthy"]] = report.passed
            return
        fault = BY_ID[said["fault"]]
        self._faults[fault.id] = {
            "id": fault.id,
            "layer": fault.layer,
            "claim": fault.claim,
            "caught": report.passed,
            "seconds": said["seconds"],
            "message": said["message"],
        }

    def missing(self) -> int:
        """How many faults and healthy runs have no result."""
        return len(BY_ID.keys() - self._faults.keys()) + HEALTHY_RUNS - len(self._healthy)

    def record(self, began: datetime) -> dict[str, Any]:
        """Everything as one JSON object: one date and the same versions for all of it."""
        return {
            **origin(COMMAND, began),
            "healthy_runs": len(self._healthy),
            "false_alarms": sum(not right for right in self._healthy.values()),
            "leftovers": len(self._leftovers),
            "faults": [self._faults[id_] for id_ in BY_ID],
        }


def origin(command: str, began: datetime) -> dict[str, Any]:
    """Where a record of many runs comes from, made when the last of them is over."""
    from fixtures.session.environment import versions  # a plugin of the run: pytest must be the first to import it

    return {
        "command": command,
        "date": began.isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version(), **versions()},
        "hardware": {"machine": platform.machine(), "processors": os.cpu_count()},
        "seconds": round((datetime.now(timezone.utc) - began).total_seconds()),
    }


BY_ID: Final = {fault.id: fault for fault in FAULTS}


def table(record: dict[str, Any]) -> str:
    """The record as a page."""
    faults: list[dict[str, Any]] = record["faults"]
    caught = sum(fault["caught"] for fault in faults)
    lines = [
        "# Faults, and what catches them",
        "",
        f"Made by `{record['command']}` from [its record](records/faults.json) on {record['date'][:10]}.",
        "",
        f"{caught} of {len(faults)} faults caught, {record['false_alarms']} false alarms in {record['healthy_runs']} "
        f"healthy runs, {record['leftovers']} things left behind (processes, ports, locks, temporary folders, "
        f"half-written cache entries). {record['seconds']} s on {record['hardware']['processors']} processors.",
        "",
        *INTRODUCTION.splitlines(),
        "",
    ]
    for layer in dict.fromkeys(fault.layer for fault in FAULTS):
        rows = [cells(BY_ID[found["id"]], found) for found in faults if found["layer"] == layer]
        lines += [f"## {layer[0].upper()}{layer[1:]}", "", markdown(COLUMNS, rows), ""]
    return "\n".join(lines)


def cells(fault: Fault, found: dict[str, Any]) -> tuple[str, ...]:
    """A line of the table."""
    by = CAUGHT_BY.get(found["claim"], f"`{found['claim']}`") if found["caught"] else "**not caught**"
    return cell(fault.breaks), by, cell(excerpt(found["message"], fault.words)), f"{found['seconds']:g}"


def excerpt(message: str, words: Sequence[str]) -> str:
    """The first line of a message, and the first line with each word that it must have."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    wanted = lines[:1] + [next((line for line in lines if word in line), "") for word in words if word]
    text = " … ".join(dict.fromkeys(line[:LONGEST_MESSAGE] for line in wanted if line))
    return text if len(text) <= 2 * LONGEST_MESSAGE else text[: 2 * LONGEST_MESSAGE] + "…"


def cell(text: str) -> str:
    """Text that a Markdown table shows as it is."""
    for special in ("\\", "|", "`", "<", "*", "_", "["):
        text = text.replace(special, f"\\{special}" if special != "<" else "&lt;")
    return text


def write(record: dict[str, Any]) -> None:
    """Both files."""
    RECORD.write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    TABLE.write_text(table(record), encoding="utf-8")
