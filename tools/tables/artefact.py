"""docs/artefact.md: what the verification of artefacts finds, takes and misses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tools.tables import markdown


def honest(record: Mapping[str, Any], _: str) -> str:
    """Artefacts as auto_awq wrote them, none of which may be flagged."""
    versions = record["versions"]
    head = [
        "artefact",
        "dtype, groups",
        "weights",
        "before",
        "after",
        "worst layer's error",
        "furthest",
        "seconds",
        "MiB",
    ]
    rows = (
        [
            row["name"],
            f"{row['dtype']}, {row['group_size']}",
            f"{row['weights']:,}",
            f"{row['source_bytes'] / 2**20:,.1f} MiB",
            f"{row['quantized_bytes'] / 2**20:,.1f} MiB",
            f"{row['worst_error']:.3f}",
            f"{row['furthest_step']:.3f}",
            f"{row['seconds']:g}",
            str(row["peak_rss_mib"]),
        ]
        for row in record["honest"]
    )
    return (
        f"{record['date'][:10]}, {record['hardware']}, Python {record['python']}, numpy {versions['numpy']}, "
        f"lmdeploy {versions['lmdeploy']}.\n"
        f"Honest artefacts flagged: **{record['honest_flagged']} of {len(record['honest'])}**.\n\n"
        f"{markdown(head, rows)}"
    )


def corruptions(record: Mapping[str, Any], _: str) -> str:
    """Ways to damage an artefact, and what the verification says of each."""
    rows = record["corruptions"]
    table = markdown(
        ["done to the artefact", "what the verification says"], ([row["name"], _said(row)] for row in rows)
    )
    return f"**{record['corruptions_caught']} of {len(rows)}** are caught, each in its own words:\n\n{table}"


def _said(row: Mapping[str, Any]) -> str:
    if not row["caught"]:
        return "**nothing**"
    return (f"`{row['layer']}` " if row["layer"] else "") + str(row["says"])
