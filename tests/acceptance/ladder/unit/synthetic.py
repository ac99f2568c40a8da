"""A made-up run of the memory ladder, around the rungs of a committed record. Only the record was measured.

`python -m tests.acceptance.ladder.unit.synthetic FOLDER` writes its log, and `python -m fixtures.evidence report FOLDER`
makes the page from it, to look at.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from fixtures.evidence.events import (
    ClaimsSelected,
    EnvironmentRecorded,
    Event,
    RunFinished,
    RunStarted,
    TestFinished,
    VramExpected,
)
from tests.acceptance.ladder.events import RungClimbed, StartFailed
from tests.unit.report import synthetic
from tests.unit.waiting import ROOT

RECORD: dict[str, Any] = json.loads(
    (ROOT / "docs" / "records" / "vram-ladder-h100-80gb-hbm3.json").read_text(encoding="utf-8")
)
FAILED = {
    "name": "w4a16-int4-0.99-on-4-gib", "share": 0.99, "card_gib": 4, "idle_mib": 76912, "peak_mib": 81001,
    "released_mib": 76912, "released_seconds": 0.1, "seconds": 21.4,
    "error": "the api_server was killed by SIGABRT: CUDA error: out of memory <b>",
}  # fmt: skip
TEST = "tests/acceptance/ladder/test_ladder.py::test_one"


def events(record: dict[str, Any] | None = None, **finished: Any) -> list[tuple[float, Event]]:
    """A run of the ladder: the rungs of the record, a start that failed, and one test. Only the record was measured."""
    found = RECORD if record is None else record
    phases = [TestFinished(TEST, "", when, "passed", 0.1) for when in ("setup", "call", "teardown")]
    phases[1] = replace(phases[1], **finished)
    happened: list[Event] = [
        RunStarted("20261122T190000Z-1add", found["command"].split(), {}, {}, "", False, subject="ladder"),
        ClaimsSelected([], [], 1),
        EnvironmentRecorded(
            found["versions"], found["python"], "Linux", found["gpu"], found["gpu_total_mib"], found["driver"],
            found["cuda"],
        ),
        *(RungClimbed(row) for row in found["rows"]),
        *(VramExpected(0.0, 1.0, 1.0, {}, {"ready": float(row["model_mib"])}) for row in found["rows"]),
        StartFailed(FAILED),
        *phases,
        RunFinished(0 if phases[1].outcome == "passed" else 1, 1),
    ]  # fmt: skip
    return [(float(second), event) for second, event in enumerate(happened)]


if __name__ == "__main__":
    synthetic.write(Path(sys.argv[1]), synthetic.entries(events()))
