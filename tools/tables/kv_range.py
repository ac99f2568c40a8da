"""docs/kv-cache.md: what was foretold of quantized KV caches, and what they cost."""

from collections.abc import Iterator, Mapping
from typing import Any

from tools.tables import WORDS, Place, markdown


def costs(record: Mapping[str, Any], place: Place) -> str:
    """Tell for each model and cache the noise that was foretold and measured, and the loss that it adds."""
    texts = WORDS["kv_range"]["texts"]
    head = [*place.head("kv_range.head"), *(one[place.language] for one in texts.values())]
    cells = (
        [*_cells(model["name"], row), *(_nats(row["cost"].get(text)) for text in texts)] for model, row in _rows(record)
    )
    return f"{place.origin(record)} {place.raw()}\n\n{markdown(head, cells)}"


def layers(record: Mapping[str, Any], place: Place) -> str:
    """Tell in which layers the noise of four bits is largest, and how long it took to find out."""
    cells = []
    for model in record["models"]:
        foretold = model["layers_at_4_bits"]["foretold"]
        worst = sorted(range(len(foretold)), key=lambda layer: -foretold[layer])[:3]
        shown = place.listed(place.say("kv_range.layer", layer=layer, noise=foretold[layer]) for layer in worst)
        seconds = f"{model['seconds_to_foretell']:.2f}"
        cells.append([model["name"], str(len(foretold)), str(model["heads"]), shown, seconds])
    return markdown(place.head("kv_range.layers"), cells)


def _rows(record: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    for model in record["models"]:
        for row in sorted(model["rows"], key=lambda row: (-row["bits"], row["arithmetic"])):
            yield model, row


def _cells(name: str, row: Mapping[str, Any]) -> list[str]:
    mean, median, worst = (f"{row['foretold'][way]:.3g}" for way in ("mean", "median", "worst"))
    told = mean if row["holds"] else f"**{mean}**"
    return [name, f"{row['bits']}, {row['arithmetic']}", told, median, worst, f"{row['measured']['mean']:.3g}"]


def _nats(cost: float | None) -> str:
    return "–" if cost is None else f"{round(cost, 2) + 0.0:+.2f}"  # 0.0 turns -0.0 into 0.0
