"""docs/quality.md: what quantization cost, measured on a GPU, and what damage would cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fixtures.texts import LANGUAGES, Texts
from tests.acceptance.quality.picture import Point, draw
from tools.tables import markdown, origin

SVG: Final = "http://www.w3.org/2000/svg"
HEAD: Final = (
    *("服务 / server", "困惑度 / perplexity", "× bf16 [95 %]", "一致 / same next token", "两步题 / chains"),
    *("显存 / VRAM MiB", "KV 词元 / tokens"),
)


def measured(record: Mapping[str, Any], stem: str) -> str:
    """Two tables for each checkpoint: the servers, and the parts of the text."""
    parts = [f"{origin(record)} [raw data](records/{stem}.json)"]
    for checkpoint, run in record["runs"].items():
        judged, noise, rows = ", ".join(run["judged"]) or "无 / none", run["noise"], run["rows"]
        parts += [
            markdown(HEAD, (_cells(checkpoint, row, run["details"][row["name"]]) for row in rows)),
            f"计入的文本 / texts that count: {judged}。{run['predicted_tokens']} tokens, {run['prompts']} prompts. "
            f"噪声 / noise: ×{noise['perplexity_ratio']:g}, {100 * noise['agreement']:.1f} %.",
            markdown(
                ["文本 / part", "知道 / known", *run["details"]],
                (
                    [part, f"{100 * known:.1f} %", *(_part(one["parts"][part]) for one in run["details"].values())]
                    for part, known in run["known"].items()
                ),
            ),
        ]
        if all(row["vram_mib"] for row in rows):
            parts.append(f"![{checkpoint}](records/{stem}-{checkpoint}-zh.svg)")
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


def damage(record: Mapping[str, Any], stem: str) -> str:
    """The cost of honest and of damaged weights to the stand-in, on a CPU."""
    rows = record["rows"]
    table = markdown(
        ["权重 / weights", *rows[0]["parts"], "判定 / decided"],
        ([row["name"], *map(_part, row["parts"].values()), "✓" if row["accepted"] else "✗"] for row in rows),
    )
    return f"{origin(record)} [raw data](records/{stem}.json)\n\n{table}"


def pictures(record: Mapping[str, Any], stem: str) -> dict[str, str]:
    """Cost against memory, a picture for each checkpoint and language; none of a run whose memory is not known."""
    drawn = {}
    for checkpoint, run in record.get("runs", {}).items():
        ratios = {name: details["perplexity_ratio"] for name, details in run["details"].items()}
        points = [
            Point(row["name"], ratio, lower, upper, row["vram_mib"], row["kv_tokens"])
            for row in run["rows"]
            for ratio, lower, upper in [ratios[row["name"]]]
        ]
        for language in LANGUAGES if all(row["vram_mib"] for row in run["rows"]) else ():
            drawn[f"{stem}-{checkpoint}-{language}.svg"] = str(draw(points, Texts(language), xmlns=SVG))
    return drawn
