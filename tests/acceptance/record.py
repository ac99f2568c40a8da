"""The verdict of the homework's run on a GPU, from its events, as a row of the record of lmdeploy versions."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from fixtures.run.subjects import HOMEWORK

from fixtures.evidence.events import Entry, RunFinished
from fixtures.lmdeploy.capabilities import in_order
from fixtures.report.stages import stages
from fixtures.report.summary import summarize


def records(entries: Sequence[Entry]) -> dict[str, Any]:
    """The verdict, and the claims that did not pass with their causes; nothing of a rehearsal, of another subject, or
    of a run that was killed."""
    run = summarize(entries)
    started, environment, verdict = run.started, run.environment, run.verdict
    if started is None or environment is None or not environment.gpu:
        return {}
    if run.subject is not HOMEWORK or not run.all(RunFinished):
        return {}
    others = [one for one in verdict.claims if one.state != "held"]
    row = {
        "run": True,
        "run_id": run.run_id,
        "date": entries[0].at,
        "command": shlex.join(started.argv),
        "commit": started.commit,
        "gpu": environment.gpu,
        "driver": environment.driver,
        "python": environment.python,
        "versions": environment.versions,
        "seconds": {stage.name: stage.seconds for stage in stages(run.entries)},
        "outcome": verdict.outcome,
        "held": verdict.held,
        "total": len(verdict.claims),
        "claims": {one.claim.id: {"state": one.state, "cause": one.cause} for one in others},
    }
    return {"versions": {"versions": {environment.versions["lmdeploy"]: {"gpu": row}}}}


def merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The old record with this version's verdict in it."""
    versions = dict(old["versions"])
    for version, found in new["versions"].items():
        versions[version] = {**versions.get(version, {}), **found}
    return {**old, "versions": {version: versions[version] for version in in_order(set(versions))}}
