"""The record of answers under load, a run for each model, version and way to serve it. Seconds, nats, shares."""

from collections.abc import Mapping, Sequence
from typing import Any

from fixtures.evidence.events import CheckpointIdentified, Entry, EnvironmentRecorded, RunStarted
from fixtures.judge.verdict import Happened
from tests.acceptance.load.events import LoadCompared


def records(entries: Sequence[Entry]) -> dict[str, Any]:
    """Return the run's servers under its checkpoint, lmdeploy, engine and KV cache; nothing of a server that was not
    ours."""
    happened = Happened(tuple(entries))
    rows = [event.row for event in happened.of(LoadCompared)]
    identified = happened.of(CheckpointIdentified)
    if not rows or not identified:
        return {}
    started, environment = happened.of(RunStarted)[0], happened.of(EnvironmentRecorded)[-1]
    engine = "rehearsal" if started.rehearsal else started.settings.get("backend")
    about = {
        "checkpoint": identified[-1].name,
        "lmdeploy": environment.versions["lmdeploy"],
        "engine": engine,
        "quant_policy": started.settings.get("quant_policy"),
    }
    told = {"date": entries[0].at[:10], "servers": rows}
    return {"load-{gpu}": {"runs": {", ".join(map(str, about.values())): {**about, **told}}}}


def merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the old record with these runs in it."""
    return {**new, "runs": {**old["runs"], **new["runs"]}}
