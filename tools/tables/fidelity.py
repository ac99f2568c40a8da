"""docs/fidelity.md: how well served tokens tell what serves them."""

from collections.abc import Mapping
from typing import Any, Final

from tools.tables import Place, markdown

SHOWN: Final = 4
"""Pairs of configurations of a model: those that are hardest to tell apart."""
OF_NONE: Final = "fault.of_none"


def servers(record: Mapping[str, Any], place: Place) -> str:
    """Tell of each model what every kind of server was taken for, and how many tokens tell two configurations apart."""
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
        told = place.say("fidelity.sound", model=model["model"], alarms=place.of(model["false_alarms"], model["sound"]))
        shown = hardest(model)
        counts = [*shown[0]["auc"]]
        curves = (
            [f"{one['one']} / {one['other']}", *(f"{one['auc'][count]:.3f}" for count in counts)] for one in shown
        )
        parts += [
            told,
            markdown(place.head("fidelity.head"), cells),
            markdown([place.say("fidelity.pair"), *counts], curves),
        ]
    return "\n\n".join(parts)


def hardest(model: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The curves of the pairs that are hardest to tell apart."""
    return sorted(model["curves"], key=lambda one: sum(one["auc"].values()))[:SHOWN]
