"""The record of what was seen at each entry point, from the events of its run; what was said stays in the evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fixtures.evidence.events import Entry
from fixtures.judge.verdict import judge_claim
from fixtures.report.summary import RunSummary, summarize
from fixtures.run.claims import Claim, of_suite
from tests.acceptance.entry_points.events import EntryPointTried


def records(entries: Sequence[Entry]) -> dict[str, Any]:
    """Return a row for each entry point: what became of it, in seconds and MiB."""
    run = summarize(entries)
    tried = {event.claim: event for event in run.all(EntryPointTried)}
    if not tried or run.started is None or run.environment is None:
        return {}
    rows = [_row(run, claim, tried.get(claim.id), run.started.rehearsal) for claim in of_suite("entry_points")]
    about = {"run_id": run.run_id, "rehearsal": run.started.rehearsal, "model": run.verdict.model}
    return {f"entry-points-{run.environment.versions['lmdeploy']}-{{gpu}}": {**about, "entry_points": rows}}


def _row(run: RunSummary, claim: Claim, tried: EntryPointTried | None, rehearsal: bool) -> dict[str, Any]:
    verdict = judge_claim(run.happened, claim, rehearsal)
    return {
        "claim": claim.id,
        "state": verdict.state,
        "cause": verdict.cause,
        "command": tried.command if tried else "",
        "note": tried.note if tried else "",
        "seconds": tried.seconds if tried else None,
        "vram_mib": tried.vram_mib if tried else None,
        "characters_seen": len(tried.transcript) if tried else None,
        "picture": bool(tried and tried.picture),
    }
