"""The record of replies under a schema: for each lmdeploy version and model what became of every case."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from fixtures.evidence.events import Entry, EnvironmentRecorded, RunStarted
from fixtures.judge.verdict import Happened
from tests.acceptance.structured.cases import CASES
from tests.acceptance.structured.events import SchemaTried


def records(entries: Sequence[Entry]) -> dict[str, Any]:
    """Return a column for the run's lmdeploy version and model; tokens of each reply beside its outcome.

    :raises ValueError: cases are missing.
    """
    happened = Happened(tuple(entries))
    tried = {(one.case, one.way): one for one in happened.of(SchemaTried)}
    if not tried:
        return {}
    ways = sorted({way for _, way in tried})  # a version need not offer both
    if missing := [f"{case.id} {way}" for case in CASES for way in ways if (case.id, way) not in tried]:
        raise ValueError(f"cases are missing: {', '.join(missing)}")
    settings, lmdeploy = happened.of(RunStarted)[0].settings, happened.of(EnvironmentRecorded)[0].versions["lmdeploy"]
    column = {"quant_policy": settings["quant_policy"], "tried": [asdict(one) for one in tried.values()]}
    name = str(settings["checkpoint"]).rstrip("/").rpartition("/")[2]
    return {"structured-{gpu}": {"columns": {f"{lmdeploy} {name}": column}}}


def merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the columns of other versions and models beside the new one."""
    return {**new, "columns": dict(sorted({**old["columns"], **new["columns"]}.items()))}
