"""docs/quality.md: its words, and its tables from the records alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any, Final

from fixtures.texts import LANGUAGES, Texts
from tests.acceptance.quality.limits import HIGHEST_RATIO, LEAST_AGREEMENT, LEAST_KNOWN
from tests.acceptance.quality.picture import Point, draw
from tools.quality.record import read

WORDS: Final = Path(__file__).with_name("page.md")
NOT_YET: Final = "尚未测量。Not yet measured."
SVG: Final = "http://www.w3.org/2000/svg"


def write_page(root: Path) -> list[Path]:
    """Write the page and the pictures; the files written."""
    records = root / "docs" / "records"
    measured = [
        (file, json.loads(file.read_text(encoding="utf-8")))
        for file in sorted(records.glob("quality-*.json"))
        if file.stem != "quality-damage"
    ]
    damage = read(records / "quality-damage.json")
    written = [picture for file, record in measured for picture in _pictures(file, record)]
    sections = [section(file.name, record) for file, record in measured]
    text = Template(WORDS.read_text(encoding="utf-8")).substitute(
        highest_ratio=f"{HIGHEST_RATIO:g}",
        least_agreement=f"{LEAST_AGREEMENT:g}",
        least_known=f"{100 * LEAST_KNOWN:g}",
        measured="\n\n".join(sections) or NOT_YET,
        damage=NOT_YET if damage is None else damage_table(damage),
    )
    page = root / "docs" / "quality.md"
    page.write_text(text, encoding="utf-8")
    return [page, *written]


def section(name: str, record: Mapping[str, Any]) -> str:
    """A GPU's record as a section, both languages in its heads."""
    lines = [
        f"### {record['gpu']['name']}, lmdeploy {record['versions']['lmdeploy']}",
        "",
        f"`{record['command']}`, {record['date']}; [raw data](records/{name})",
        "",
    ]
    for checkpoint, run in record["runs"].items():
        names = list(run["details"])
        rows = {row["name"]: row for row in record["rows"]}
        heads = ("服务 / server", "困惑度 / perplexity", "× bf16 [95 %]", "一致 / same next token", "两步题 / chains")
        lines += table(
            [*heads, "显存 / VRAM MiB", "KV 词元 / tokens"],
            [_row(rows[f"{checkpoint} {one}"], run, one) for one in names],
        )
        judged = ", ".join(run["judged"]) or "无 / none"
        noise = run["noise"]
        lines += [
            "",
            f"计入的文本 / texts that count: {judged}。{run['predicted_tokens']} tokens, {run['prompts']} prompts. "
            f"噪声 / noise: ×{noise['perplexity_ratio']:g}, {100 * noise['agreement']:.1f} %.",
            "",
        ]
        parts = list(run["known"])
        lines += table(
            ["文本 / part", "知道 / known", *names],
            [
                [
                    part,
                    f"{100 * run['known'][part]:.1f} %",
                    *(_cell(run["details"][one]["parts"][part]) for one in names),
                ]
                for part in parts
            ],
        )
        if all(rows[f"{checkpoint} {one}"]["vram_mib"] for one in names):
            lines += ["", f"![{checkpoint}](records/{picture_name(name, checkpoint, 'zh')})"]
        lines.append("")
    if record["corruptions"] is not None:
        lines.append(
            f"损坏的量化结果 / damaged artefacts: {record['corruptions_caught']} / {record['corruptions']} "
            "([artefact.json](records/artefact.json))"
        )
    return "\n".join(lines).rstrip()


def _row(row: Mapping[str, Any], run: Mapping[str, Any], name: str) -> list[str]:
    details = run["details"][name]
    value, lower, upper = details["perplexity_ratio"]
    return [
        row["name"],
        f"{row['perplexity']:.4g}",
        f"{value:.4f} [{lower:.4f}, {upper:.4f}]",
        f"{100 * row['agreement']:.1f} %",
        "{} / {}".format(*details["task"]),
        "–" if row["vram_mib"] is None else f"{row['vram_mib']:,}",
        "–" if row["kv_tokens"] is None else f"{row['kv_tokens']:,}",
    ]


def _cell(part: Mapping[str, Any]) -> str:
    agreed = f"{100 * part['agreement']:.1f} %"
    return f"{part['perplexity']:.4g} (×{part['ratio']:.4f}), {agreed}" if "ratio" in part else agreed


def damage_table(record: Mapping[str, Any]) -> str:
    """What honest and damaged weights cost the stand-in, on a CPU."""
    parts = list(record["rows"][0]["parts"])
    heads = ["权重 / weights", *(f"{part}" for part in parts), "判定 / decided"]
    rows = [
        [row["name"], *(_cell(row["parts"][part]) for part in parts), "✓" if row["accepted"] else "✗"]
        for row in record["rows"]
    ]
    return "\n".join(table(heads, rows))


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table."""
    return [
        f"| {' | '.join(heads)} |",
        f"| {' | '.join('---' for _ in heads)} |",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def picture_name(record: str, checkpoint: str, language: str) -> str:
    """`quality-h100-80gb-hbm3.json` -> `quality-h100-80gb-hbm3-standin-zh.svg`."""
    return f"{record.removesuffix('.json')}-{checkpoint}-{language}.svg"


def _pictures(file: Path, record: Mapping[str, Any]) -> list[Path]:
    written = []
    rows = {row["name"]: row for row in record["rows"]}
    for checkpoint, run in record["runs"].items():
        named = [(name, rows[f"{checkpoint} {name}"], details) for name, details in run["details"].items()]
        if not all(row["vram_mib"] for _, row, _ in named):
            continue
        points = []
        for name, row, details in named:
            ratio, lower, upper = details["perplexity_ratio"]
            points.append(Point(name, ratio, lower, upper, row["vram_mib"], row["kv_tokens"]))
        for language in LANGUAGES:
            picture = file.with_name(picture_name(file.name, checkpoint, language))
            picture.write_text(draw(points, Texts(language), xmlns=SVG) + "\n", encoding="utf-8")
            written.append(picture)
    return written
