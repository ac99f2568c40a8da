"""The record of conformance: for each lmdeploy version what became of every row, and which routes ask for no key."""

from collections.abc import Mapping, Sequence
from typing import Any

from fixtures.evidence.events import Entry, EnvironmentRecorded, RunStarted
from fixtures.judge.verdict import Happened
from fixtures.lmdeploy.capabilities import in_order
from tests.acceptance.conformance.events import RoutesAsked, RowTried
from tests.acceptance.conformance.rows import ROWS


def records(entries: Sequence[Entry]) -> dict[str, Any]:
    """Return a column for the run's lmdeploy version, with the model's name where it is not the stand-in.

    :raises ValueError: the table was not asked to its end.
    """
    happened = Happened(tuple(entries))
    tried = {one.row: one for one in happened.of(RowTried)}
    if not tried:
        return {}
    asked = happened.of(RoutesAsked)
    protocols = {name.partition(".")[0] for name in tried}
    if missing := [row.id for row in ROWS if row.protocol in protocols and row.id not in tried]:
        raise ValueError(f"rows are missing: {', '.join(missing)}")
    column = {
        "checkpoint": happened.of(RunStarted)[0].settings["checkpoint"],
        "versions": happened.of(EnvironmentRecorded)[0].versions,
        "rows": {one.row: {"status": one.status, "lacks": one.lacks, "sdk": one.sdk} for one in tried.values()},
        "open": asked[-1].open if asked else None,
        "guarded": asked[-1].guarded if asked else None,
    }
    name = str(column["checkpoint"]).rstrip("/").rpartition("/")[2]
    head = column["versions"]["lmdeploy"] + ("" if name == "standin" else f" {name}")
    return {"conformance-{gpu}": {"columns": {head: column}}}


def merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the columns of other versions beside the new one."""
    columns = {**old["columns"], **new["columns"]}
    return {**new, "columns": {version: columns[version] for version in in_order(set(columns))}}
