"""docs/artefact.md: what the verification of artefacts finds, takes and misses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tools.tables import either, markdown


def honest(record: Mapping[str, Any], _: str, language: str) -> str:
    """Artefacts as auto_awq wrote them, none of which may be flagged."""
    versions, flagged, n = record["versions"], record["honest_flagged"], len(record["honest"])
    head = either(
        language,
        ["量化结果", "dtype，每组", "权重数", "量化前", "量化后", "误差最大的层", "最远", "秒", "内存 MiB"],
        [
            "artefact",
            "dtype, groups",
            "weights",
            "before",
            "after",
            "worst layer's error",
            "furthest",
            "seconds",
            "MiB",
        ],
    )
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
    on = (
        record["date"][:10], record["hardware"], f"Python {record['python']}", f"numpy {versions['numpy']}",
        f"lmdeploy {versions['lmdeploy']}",
    )  # fmt: skip
    told = either(
        language,
        f"{'，'.join(on)}。\n正常结果被误报：**{flagged} / {n}**。",
        f"{', '.join(on)}.\nHonest artefacts flagged: **{flagged} of {n}**.",
    )
    return f"{told}\n\n{markdown(head, rows)}"


def corruptions(record: Mapping[str, Any], _: str, language: str) -> str:
    """Ways to damage an artefact, and what the verification says of each."""
    rows, caught = record["corruptions"], record["corruptions_caught"]
    told = either(
        language,
        f"**{caught} / {len(rows)}** 被发现，各有自己的说法：",
        f"**{caught} of {len(rows)}** are caught, each in its own words:",
    )
    head = either(
        language, ["对量化结果做了什么", "核对的结论"], ["done to the artefact", "what the verification says"]
    )
    return f"{told}\n\n{markdown(head, ([row['name'], _said(row, language)] for row in rows))}"


def _said(row: Mapping[str, Any], language: str) -> str:
    if not row["caught"]:
        return either(language, "**没有发现**", "**nothing**")
    return (f"`{row['layer']}` " if row["layer"] else "") + str(row["says"])


def flipped_bits(record: Mapping[str, Any], _: str, language: str) -> str:
    """Single bits of codes that were flipped, and how many of them were noticed."""
    head = either(language, ["位", "翻转", "发现"], ["bit", "flipped", "noticed"])
    rows = ([str(row[field]) for field in ("bit", "flipped", "noticed")] for row in record["flipped_bits"])
    return markdown(head, rows)
