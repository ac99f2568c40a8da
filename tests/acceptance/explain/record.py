"""What was found of a run that looked for a cause: `real-model-<gpu>` has a row for each server and question."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from fixtures.evidence.events import Entry
from fixtures.report.summary import summarize
from fixtures.texts import Texts
from tests.acceptance.explain.asking import kinds
from tests.acceptance.explain.cause import causes
from tests.acceptance.explain.events import SearchBegun, ServerTried


def records(entries: Sequence[Entry]) -> dict[str, Any]:
    """Return what each server answered, the memory that was predicted and used, and the causes, under the checkpoint's
    name and how it was served; nothing of a run without a GPU, or without a search."""
    run = summarize(entries)
    begun = next(iter(run.all(SearchBegun)), None)
    if run.environment is None or not run.environment.gpu or begun is None or run.checkpoint is None:
        return {}
    tried, memory = run.all(ServerTried), run.memory
    ready = memory.at_phase("ready") if memory else None
    name = f"{run.checkpoint.name}, quant-policy {begun.served['quant_policy']}, {begun.served['backend']}"
    found = causes(begun, tried, kinds(begun.claims))
    about = {
        "run_id": run.run_id,
        "date": run.started_at,
        "command": shlex.join(run.started.argv) if run.started else "",
        "outcome": run.verdict.outcome,
        "claims": {one.claim.id: one.state for one in run.verdict.claims},
        "failed": {one.name: one.failed for one in tried if one.failed},
        "vram_predicted_mib": memory.expected.terms.get("ready") if memory and memory.expected else None,
        "vram_mib": ready[1] if ready else None,
    }
    rows = [
        {"run": name, "served": one.name, "claim": kind, "k": answers["right"], "n": answers["made"]}
        for one in tried
        for kind, answers in one.answers.items()
    ]
    explained = {name: {cause.kind: [cause.id, str(Texts("en").tell(cause.told))] for cause in found}}
    memory_mib = {figure: about[figure] for figure in ("vram_predicted_mib", "vram_mib")}
    return {"real-model-{gpu}": {"runs": {name: about}, "rows": rows, "explained": explained, **memory_mib}}


def merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the old record with these runs in it; its memory is that of the newest."""
    together: dict[str, Any] = {part: {**old[part], **new[part]} for part in ("runs", "explained")}
    rows = [
        row for run in together["runs"] for row in (new if run in new["runs"] else old)["rows"] if row["run"] == run
    ]
    memory_mib = {figure: new[figure] for figure in ("vram_predicted_mib", "vram_mib")}
    return {**old, **together, **memory_mib, "rows": rows}
