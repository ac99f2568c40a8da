"""docs/load.md: answers under load against those alone, and what the same request gives twice."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from fixtures.judge.trials import wilson
from fixtures.texts import Texts
from tests.acceptance.load.comparing import total
from tests.acceptance.load.section import REPEATED, served
from tools.tables import Place


def table(record: Mapping[str, Any], place: Place) -> str:
    """Tell what came of every server, and how often the same request gave the same reply."""
    rows = [_row(run, server, place) for run in record["runs"].values() for server in run["servers"]]
    under_load, repeated = place.table("load.head", rows), place.table("load.repeated", rows)
    return "\n\n".join((f"{place.origin(record)} {place.raw()}", under_load, place.say("load.told"), repeated))


def _row(run: Mapping[str, Any], server: Mapping[str, Any], place: Place) -> dict[str, Any]:
    counts = {name: total(server, name) for name in ("asked", "failed", "leaked", "flips", "right_alone")}
    found = wilson(counts["flips"], counts["right_alone"])
    kinds = Counter(one["kind"] for one in server["differences"])
    repeated = {name: "{} / {}".format(*server[name]) for name in REPEATED}
    capacity = server["capacity"] or {}
    held = {at: f"{100 * capacity[at]:.2f} %" if at in capacity else "–" for at in ("before", "held", "after")}
    bounds = {"lower": 100 * found.lower, "upper": 100 * found.upper}
    told = {name: kinds[name] for name in ("near_tie", "finding", "unknown")}
    name = served(server["name"], Texts(place.language))
    return {**run, **server, "name": name, **counts, **repeated, **bounds, **told, **held}
