"""docs/fidelity.md: how well served tokens tell what serves them."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tools.tables import Place, markdown

SHOWN: Final = 4
"""Pairs of configurations of a model: those that are hardest to tell apart."""
OF_NONE: Final = "fault.of_none"


def servers(record: Mapping[str, Any], place: Place) -> str:
    """Tell of each model what every kind of server was taken for, how often one that is declared as another was
    refused, and how many tokens tell two configurations apart."""
    parts = [f"{place.origin(record)} {place.raw()}"]
    for model in record["models"]:
        rows: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
        for row in model["servers"]:
            rows.setdefault((row["kind"], row["served"]), []).append(row)
        cells = []
        for (kind, served), found in rows.items():
            fits = sorted(row["fit"] for row in found)
            refused = sum(row["fault"] is not None or not row["same_prompts"] for row in found)
            taken = (name for row in found for name in ([None] if row["fault"] == OF_NONE else row["possible"]))
            named = place.listed(name or place.say("fidelity.none") for name in dict.fromkeys(taken))
            cells.append([place.say(f"fidelity.kind.{kind.split()[0]}", by=kind.split()[-1]), served, named,
                          f"{fits[0]:.2f} – {fits[-1]:.2f}", place.of(refused, len(found))])  # fmt: skip
        alarms, named = (place.of(model[count], model["sound"]) for count in ("false_alarms", "named"))
        told = place.say("fidelity.sound", model=model["model"], alarms=alarms, named=named)
        if failed := list(dict.fromkeys(row["served"] for row in model["failed"])):
            told += place.say("fidelity.failed", count=len(model["failed"]), of=place.listed(failed))
        shown = hardest(model)
        counts = [*shown[0]["auc"]]
        curves = (
            [f"{one['one']} / {one['other']}", *(f"{one['auc'][count]:.3f}" for count in counts)] for one in shown
        )
        parts += [
            told,
            markdown(place.head("fidelity.head"), cells),
            markdown([place.say("fidelity.swapped"), *model["servers"][0]["fits"]], swapped(model, place)),
            markdown([place.say("fidelity.pair"), *counts], curves),
        ]
    return "\n\n".join(parts)


def swapped(model: Mapping[str, Any], place: Place) -> Iterator[list[str]]:
    """For each configuration how many of its servers were refused when declared as it and as each other."""
    for served in model["servers"][0]["fits"]:
        sound = [row for row in model["servers"] if (row["kind"], row["served"]) == ("own", served)]
        if sound:
            refused = (sum(declared in row["refused_as"] for row in sound) for declared in sound[0]["fits"])
            yield [served, *(place.of(count, len(sound)) for count in refused)]


def hardest(model: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The curves of the pairs that are hardest to tell apart."""
    return sorted(model["curves"], key=lambda one: sum(one["auc"].values()))[:SHOWN]
