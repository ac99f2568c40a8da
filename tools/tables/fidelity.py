"""docs/fidelity.md: how well served tokens tell what serves them."""

from collections.abc import Mapping
from typing import Any, Final

from fixtures.report.drawing import CHARTS, COLOURS, charts
from fixtures.report.markup import Html
from fixtures.texts import LANGUAGES
from tools.tables import Place, markdown

SHOWN: Final = 4
"""Pairs of configurations of a model: those that are hardest to tell apart."""


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
            named = place.listed(dict.fromkeys(name for row in found for name in row["possible"]))
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
            f"![AUC](records/{place.stem}-{place.language}.svg)" if model is record["models"][0] else "",
            markdown([place.say("fidelity.pair"), *counts], curves),
        ]
    return "\n\n".join(filter(None, parts))


def hardest(model: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The curves of the pairs that are hardest to tell apart."""
    return sorted(model["curves"], key=lambda one: sum(one["auc"].values()))[:SHOWN]


def pictures(record: Mapping[str, Any], stem: str) -> dict[str, str]:
    """Draw for up to two models how the hardest pairs are told apart with more tokens."""
    return {f"{stem}-{language}.svg": str(_drawn(record, Place(language, stem))) for language in LANGUAGES}


def _drawn(record: Mapping[str, Any], place: Place) -> Html:
    shapes, names = [], dict[str, None]()
    for chart, model in zip(CHARTS, record["models"], strict=False):
        counts = [int(count) for count in hardest(model)[0]["auc"]]
        across = {str(count): count / counts[-1] for count in counts if count >= counts[-1] / 6 or count == counts[0]}
        up = {f"{value:g}": 2 * value - 1 for value in (0.5, 0.75, 1)}
        shapes += chart.frame(model["model"], place.say("fidelity.across"), across, up)
        for one in hardest(model):
            name = f"{one['one']} / {one['other']}"
            names.setdefault(name)
            colour = COLOURS[list(names).index(name) % len(COLOURS)]
            places = [(int(count) / counts[-1], 2 * max(value, 0.5) - 1) for count, value in one["auc"].items()]
            shapes.append(chart.curve(places, colour))
    return charts(shapes, list(names), place.say("fidelity.pair"))
