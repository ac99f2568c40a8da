"""What was seen behind each door as a record, derived from the evidence of a finished run.

What was said and the pictures stay in the evidence.
"""

from __future__ import annotations

import shlex
from datetime import datetime
from typing import Any

from fixtures.run.subjects import DOORS

from fixtures.errors import AcceptanceError
from fixtures.judge.verdict import judge_claim
from fixtures.report.summary import RunSummary
from fixtures.run.claims import Claim
from tests.acceptance.entry_points.events import DoorTried
from tools.records import gpu_slug, head, slug


def of_run(run: RunSummary) -> dict[str, Any]:
    """The record of a run that tried the doors, alone or beside the homework. Seconds and MiB.

    :raises AcceptanceError: no door was tried in it, or the environment is not in it.
    """
    tried = {door.claim: door for door in run.all(DoorTried)}
    started, environment = run.started, run.environment
    if not tried or started is None or environment is None:
        raise AcceptanceError(
            "there is no door in this run's evidence",
            where=run.run_id or "-",
            remedy="name the folder of a run of `pytest -m doors`",
        )
    return {
        **head(environment, shlex.join(started.argv), datetime.fromisoformat(run.started_at)),
        "run_id": run.run_id,
        "rehearsal": started.rehearsal,
        "model": run.verdict.model,
        "doors": [_row(run, claim, tried.get(claim.id)) for claim in DOORS.claims],
    }


def _row(run: RunSummary, claim: Claim, door: DoorTried | None) -> dict[str, Any]:
    verdict = judge_claim(run.happened, claim, bool(run.started and run.started.rehearsal))
    return {
        "door": claim.id,
        "state": verdict.state,
        "cause": verdict.cause.partition("\n")[0],
        "command": door.command if door else "",
        "note": door.note if door else "",
        "seconds": door.seconds if door else None,
        "vram_mib": door.vram_mib if door else None,
        "characters_seen": len(door.transcript) if door else None,
        "picture": bool(door and door.picture),
    }


def name_of(record: dict[str, Any]) -> str:
    """The record's file name."""
    where = "rehearsal" if record["rehearsal"] else gpu_slug(record["gpu"])
    return f"doors-{record['versions'].get('lmdeploy', 'unknown')}-{slug(where)}.json"
