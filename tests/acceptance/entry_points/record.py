"""The record of the entry points, from the events of their run. What was said and the pictures stay in the evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fixtures.run.subjects import DOORS

from fixtures.evidence.events import DoorTried, Entry
from fixtures.judge.verdict import judge_claim
from fixtures.report.summary import RunSummary, summarize
from fixtures.run.claims import Claim


def records(entries: Sequence[Entry]) -> dict[str, Any]:
    """A row for each entry point: what became of it, in seconds and MiB."""
    run = summarize(entries)
    tried = {door.claim: door for door in run.all(DoorTried)}
    if not tried or run.started is None or run.environment is None:
        return {}
    return {
        f"doors-{run.environment.versions['lmdeploy']}-{{gpu}}": {
            "run_id": run.run_id,
            "rehearsal": run.started.rehearsal,
            "model": run.verdict.model,
            "doors": [_row(run, claim, tried.get(claim.id), run.started.rehearsal) for claim in DOORS.claims],
        }
    }


def _row(run: RunSummary, claim: Claim, door: DoorTried | None, rehearsal: bool) -> dict[str, Any]:
    verdict = judge_claim(run.happened, claim, rehearsal)
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
