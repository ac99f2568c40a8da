"""The verdict of the homework's run on a GPU, from its events, as a row of the record of lmdeploy versions."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from fixtures.evidence.events import Entry
from fixtures.lmdeploy.capabilities import in_order
from fixtures.report.stages import stages
from fixtures.report.summary import summarize
from fixtures.suites import HOMEWORK


def records(entries: Sequence[Entry]) -> dict[str, Any]:
    """Return the verdict, and the claims that did not pass with their causes; nothing of a rehearsal, of another
    suite or model, or of a run that was killed."""
    run = summarize(entries)
    started, environment, verdict = run.started, run.environment, run.verdict
    if started is None or environment is None or not environment.gpu or run.finished is None:
        return {}
    if started.rehearsal or run.suite is not HOMEWORK or verdict.model == "other":
        return {}
    others = [one for one in verdict.claims if not one.passed]
    row = {
        "run": True,
        "run_id": run.run_id,
        "date": run.started_at,
        "command": shlex.join(started.argv),
        "commit": started.commit,
        "gpu": environment.gpu,
        "driver": environment.driver,
        "cuda": environment.cuda,
        "python": environment.python,
        "versions": environment.versions,
        "seconds": {stage.name: stage.seconds for stage in stages(run.entries)},
        "outcome": verdict.outcome,
        "passed": verdict.passed,
        "total": len(verdict.claims),
        "claims": {one.claim.id: {"state": one.state, "cause": one.cause} for one in others},
    }
    return {"versions": {"versions": {environment.versions["lmdeploy"]: {"gpu": row}}}}


def merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the old record with this version's verdict in it."""
    versions = dict(old["versions"])
    for version, found in new["versions"].items():
        versions[version] = {**versions.get(version, {}), **found}
    return {**old, "versions": {version: versions[version] for version in in_order(set(versions))}}
