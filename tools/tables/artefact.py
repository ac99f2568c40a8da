"""docs/artefact.md: what the verification of artefacts finds, takes and misses."""

from collections.abc import Mapping
from typing import Any

from fixtures.run.units import MIB
from tools.tables import Place


def honest(record: Mapping[str, Any], place: Place) -> str:
    """Tell of artefacts as auto_awq wrote them, none of which may be flagged."""
    versions = record["versions"]
    on = [record["date"][:10], record["hardware"], f"Python {record['python']}"]
    on += [f"{name} {versions[name]}" for name in ("numpy", "lmdeploy")]
    told = place.say("artefact.honest", on=place.listed(on), flagged=record["honest_flagged"], n=len(record["honest"]))
    rows = (
        {**row, "before": row["source_bytes"] / MIB, "after": row["quantized_bytes"] / MIB} for row in record["honest"]
    )
    return f"{told}\n\n{place.table('artefact.head', rows)}"


def corruptions(record: Mapping[str, Any], place: Place) -> str:
    """Tell ways to damage an artefact, and what the verification says of each."""
    rows = record["corruptions"]
    told = place.say("artefact.caught", caught=record["corruptions_caught"], n=len(rows))
    said = ({**row, "told": f"`{row['layer']}` {row['says']}" if row["layer"] else row["says"]} for row in rows)
    return f"{told}\n\n{place.table('artefact.corruptions', said)}"


def flipped_bits(record: Mapping[str, Any], place: Place) -> str:
    """Tell of single bits of codes that were flipped, and how many of them were noticed."""
    return place.table("artefact.bits", record["flipped_bits"])
