"""What the runs of a catalogue come to, as a record: of the faults, and of the mistakes that people have reported."""

import json
import os
import platform
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest

from tests.faults.environment import ROOT


class Recorder:
    """pytest plugin: collects what tests say about themselves and whether they `passed`, from all workers."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take over a finished test's properties."""
        if report.when == "call" and report.user_properties:
            self.told.append({**dict(report.user_properties), "passed": report.passed})


def run(name: str, marks: str, make: Callable[[list[dict[str, Any]]], dict[str, Any] | None]) -> int:
    """Run the tests of `tests/NAME`, then write docs/records/NAME.json and the pages that follow from it. Arguments are
    pytest's: a part of the tests, with `-k`, leaves the files as they were.

    :param make: makes the record of what the tests said; None where some have no result.
    :returns: pytest's exit code.
    """
    recorder, began = Recorder(), datetime.now(timezone.utc)
    code = pytest.main([f"tests/{name}", "-m", marks, *sys.argv[1:]], plugins=[recorder])
    made = make(recorder.told)
    if made is None:
        sys.stdout.write("some tests have no result: the record stays as it was\n")
        return int(code)
    # Plugins of the run: pytest must be the first to import them.
    from fixtures.session.environment import versions
    from tools import pages

    origin = {
        "command": f"python -m tests.{name}",
        "date": began.isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version(), **versions()},
        "hardware": {"machine": platform.machine(), "processors": os.cpu_count()},
        "seconds": round((datetime.now(timezone.utc) - began).total_seconds()),
    }
    text = json.dumps({**origin, **made}, ensure_ascii=False, indent=1) + "\n"
    (ROOT / "docs" / "records" / f"{name}.json").write_text(text, encoding="utf-8")
    return int(code) or pages.main([])
