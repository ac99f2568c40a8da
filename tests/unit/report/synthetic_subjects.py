"""Made-up runs that judge one subject alone: doors, quality or performance. Nothing in here was measured.

`python -m tests.unit.report.synthetic_subjects doors FOLDER` writes a log, and `python -m fixtures.evidence report
FOLDER` makes the page from it, to look at.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fixtures.run.subjects import DOORS, PERFORMANCE, SUBJECTS, Subject

from fixtures.evidence.events import (
    ClaimsSelected,
    Entry,
    EnvironmentRecorded,
    Event,
    Measured,
    RunFinished,
    RunStarted,
    TestFinished,
)
from fixtures.report.summary import RunSummary, summarize
from fixtures.run.claims import NOT_OFFERED
from tests.acceptance.entry_points.events import DoorTried
from tests.acceptance.performance.events import PerformanceMeasured
from tests.acceptance.performance.unit.answers import servers
from tests.acceptance.quality.unit.answers import quality
from tests.unit.report import synthetic

PHASES = ("setup", "call", "teardown")
DROPPED = ("doors.api_client", "doors.gradio")
ENVIRONMENT = EnvironmentRecorded({"lmdeploy": "0.18.0"}, "3.12.3", "Linux", "NVIDIA H100", 81559, "580", "13.0")


def proof(subject: Subject, claim: str) -> list[Event]:
    if subject is DOORS:
        return [DoorTried(claim, "lmdeploy chat", "狐狸和西瓜", 1.5, vram_mib=34735)]
    if subject is PERFORMANCE:
        return [PerformanceMeasured(one.row()) for one in servers().values()] if claim == "performance.answers" else []
    if claim != "quality.measure_repeats":
        return []
    found = quality(w4a16=0.52, int4=0.53, changed=2, right=38)
    return [found.asked, *found.measured]


def events(
    subject: Subject, *, rehearsal: bool = False, lost: str = "", outcome: str = "failed", cause: str = "no answer",
    exit_status: int | None = None,
) -> list[Event]:  # fmt: skip
    """A run in which all held but the claim `lost`; of the doors, two are not in the version."""
    happened: list[Event] = [
        RunStarted("20261122T190000Z-1add", ["pytest", "-m", subject.id], {}, {}, "", False, rehearsal, subject.id),
        ClaimsSelected([claim.id for claim in subject.claims], [], len(subject.claims)),
        ENVIRONMENT,
        synthetic.STANDIN,
    ]
    for claim in subject.claims:
        gone = claim.id in DROPPED
        ended = "skipped" if gone else outcome if claim.id == lost else "passed"
        why = f"Skipped: {NOT_OFFERED}: dropped in 0.10.0" if gone else cause if claim.id == lost else ""
        if ended == "passed":
            happened += [*proof(subject, claim.id), Measured(claim.id, "status", "200")]
        phases = [TestFinished(f"t.py::{claim.id}", claim.id, when, "passed", 0.1) for when in PHASES]
        phases[1] = replace(phases[1], outcome=ended, cause=why)
        happened += phases
    status = int(outcome == "failed" and bool(lost)) if exit_status is None else exit_status
    return [*happened, RunFinished(status, len(subject.claims))]


def entries(happened: Sequence[Event]) -> list[Entry]:
    """As the log has them, one a second."""
    return synthetic.entries([(float(second), event) for second, event in enumerate(happened)])


def run_of(happened: Sequence[Event]) -> RunSummary:
    """As the report sees it."""
    return summarize(entries(happened))


if __name__ == "__main__":
    synthetic.write(Path(sys.argv[2]), entries(events(SUBJECTS[sys.argv[1]])))
