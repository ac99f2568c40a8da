"""docs/quality.md: what quantization cost, measured on a GPU, and what damage would cost."""

from collections.abc import Mapping
from typing import Any

from fixtures.texts import LANGUAGES, Texts
from tests.acceptance.quality.section import draw
from tools.tables import Place, markdown


def measured(record: Mapping[str, Any], place: Place) -> str:
    """Make two tables for each checkpoint: the servers, and the parts of the text."""
    parts = [f"{place.origin(record)} {place.raw()}"]
    for checkpoint, run in record["runs"].items():
        rows, details, noise = run["rows"], run["details"], run["noise"]
        told = place.say(
            "quality.noise",
            judged=place.listed(run["judged"], "enumeration") or place.say("quality.none"),
            tokens=run["predicted_tokens"],
            prompts=run["prompts"],
            ratio=noise["perplexity_ratio"],
            agreement=100 * noise["agreement"],
        )
        texts = (
            [part, f"{100 * known:.1f} %", *(_part(one["parts"][part]) for one in details.values())]
            for part, known in run["known"].items()
        )
        parts += [
            markdown(place.head("quality.head"), (_cells(checkpoint, row, details[row["name"]]) for row in rows)),
            told,
            markdown([*place.head("quality.texts"), *details], texts),
        ]
        if all(row["vram_mib"] for row in rows):
            parts.append(f"![{checkpoint}](records/{place.stem}-{checkpoint}-{place.language}.svg)")
    return "\n\n".join(parts)


def _cells(checkpoint: str, row: Mapping[str, Any], details: Mapping[str, Any]) -> list[str]:
    value, lower, upper = details["perplexity_ratio"]
    return [
        f"{checkpoint} {row['name']}",
        f"{row['perplexity']:.4g}",
        f"{value:.4f} [{lower:.4f}, {upper:.4f}]",
        f"{100 * row['agreement']:.1f} %",
        "{} / {}".format(*details["task"]),
        *("–" if row[field] is None else f"{row[field]:,}" for field in ("vram_mib", "kv_tokens")),
    ]


def _part(part: Mapping[str, Any]) -> str:
    agreed = f"{100 * part['agreement']:.1f} %"
    return f"{part['perplexity']:.4g} (×{part['ratio']:.4f}), {agreed}" if "ratio" in part else agreed


def damage(record: Mapping[str, Any], place: Place) -> str:
    """Tell the cost of honest and of damaged weights to the stand-in, on a CPU."""
    weights, decided = place.head("quality.damage")
    rows = record["rows"]
    cells = ([row["name"], *map(_part, row["parts"].values()), "✓" if row["accepted"] else "✗"] for row in rows)
    return f"{place.origin(record)} {place.raw()}\n\n{markdown([weights, *rows[0]['parts'], decided], cells)}"


def pictures(record: Mapping[str, Any], stem: str) -> dict[str, str]:
    """Draw cost against memory for each checkpoint and language; nothing of a run whose memory is not known."""
    drawn = {}
    for checkpoint, run in record.get("runs", {}).items():
        rows = [{**row, **run["details"][row["name"]]} for row in run["rows"]]
        for language in LANGUAGES:
            if (picture := draw(rows, Texts(language))) is not None:
                drawn[f"{stem}-{checkpoint}-{language}.svg"] = str(picture)
    return drawn
