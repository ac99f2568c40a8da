"""`python -m tests.mistakes`: every mistake, then docs/records/mistakes.json and the tables of docs/troubleshooting."""

import json
import sys
from datetime import datetime, timezone
from typing import Any

import pytest

from tests.faults.environment import ROOT
from tests.faults.record import origin
from tests.mistakes.catalogue import MISTAKES


class Recorder:
    """pytest plugin: collects what the cases say about themselves, from all workers."""

    def __init__(self) -> None:
        self.cases: dict[str, dict[str, Any]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take over a finished case's properties."""
        told = dict(report.user_properties)
        if report.when == "call" and "mistake" in told:
            self.cases[told.pop("mistake")] = told


def main() -> int:
    """Run the catalogue; arguments are pytest's. A part of it, with `-k`, leaves the files as they were.

    :returns: pytest's exit code.
    """
    recorder, began = Recorder(), datetime.now(timezone.utc)
    code = pytest.main(["tests/mistakes", "-m", "mistakes", *sys.argv[1:]], plugins=[recorder])
    if len(recorder.cases) < len(MISTAKES):
        sys.stdout.write("some cases have no result: the record stays as it was\n")
        return int(code)
    cases = [{"id": each.id, "source": each.source, **recorder.cases[each.id]} for each in MISTAKES]
    record = {**origin("python -m tests.mistakes", began), "cases": cases}
    text = json.dumps(record, ensure_ascii=False, indent=1) + "\n"
    (ROOT / "docs" / "records" / "mistakes.json").write_text(text, encoding="utf-8")
    from tools import pages  # it imports plugins of the run: pytest must be the first to import them

    return int(code) or pages.main([])


if __name__ == "__main__":
    sys.exit(main())
