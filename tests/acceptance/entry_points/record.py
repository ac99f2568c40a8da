"""The record of what was seen at each entry point, from the events of its run; what was said stays in the evidence."""

from collections.abc import Sequence
from typing import Any

from fixtures.evidence.events import Entry
from fixtures.judge.verdict import judge_claim
from fixtures.report.summary import summarize
from fixtures.run.claims import of_suite
from tests.acceptance.entry_points.events import EntryPointTried


def records(entries: Sequence[Entry]) -> dict[str, Any]:
    """Return a row for each entry point: what became of it, in seconds and MiB."""
    run = summarize(entries)
    tried = {event.claim: event for event in run.all(EntryPointTried)}
    if not tried or run.started is None or run.environment is None:
        return {}
    rows = []
    for claim in of_suite("entry_points"):
        verdict, seen = judge_claim(run.happened, claim, run.started.rehearsal), tried.get(claim.id)
        rows.append(
            {
                "claim": claim.id,
                "state": verdict.state,
                "cause": verdict.cause,
                "command": seen.command if seen else "",
                "note": seen.note if seen else "",
                "seconds": seen.seconds if seen else None,
                "vram_mib": seen.vram_mib if seen else None,
                "characters_seen": len(seen.transcript) if seen else None,
                "picture": bool(seen and seen.picture),
            }
        )
    about = {"run_id": run.run_id, "rehearsal": run.started.rehearsal, "model": run.verdict.model}
    return {f"entry-points-{run.environment.versions['lmdeploy']}-{{gpu}}": {**about, "entry_points": rows}}
