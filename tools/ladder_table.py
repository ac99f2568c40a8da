"""`python -m tools.ladder_table RECORD.json`: put a ladder's figures into docs/vram.md, as its record has them.

`... RECORD.json --check` only says whether they are there; exit status 1 if not.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.acceptance.ladder.rungs import HALF_SHARE, INT4_KV, INT8_KV

PAGE: Final = Path(__file__).parents[1] / "docs" / "vram.md"
BEGIN: Final = "<!-- written by python -m tools.ladder_table -->"
END: Final = "<!-- end -->"

NAMES: Final = {"bf16": "bf16", "w4a16": "W4A16"}
CACHES: Final = {0: "", 8: ", int8 KV", 4: ", int4 KV"}
COLUMNS: Final = (
    ("空闲 idle", "idle_mib"),
    ("权重已载入 loaded", "loaded_mib"),
    ("启动后 ready", "ready_mib"),
    ("峰值 peak", "peak_mib"),
    ("停止后 released", "released_mib"),
    ("模型 model", "model_mib"),
)


def render(record: Mapping[str, Any], name: str) -> str:
    """The record as Markdown, Chinese and English.

    :param name: of the record's files, without `.json`.
    """
    rows = record["rows"]
    head = ["服务 / server", *(title for title, _ in COLUMNS), "KV 词元 KV tokens"]
    table = [
        f"| {' | '.join(head)} |",
        f"| {' | '.join('---' for _ in head)} |",
        *(f"| {' | '.join(_cells(row))} |" for row in rows),
    ]
    gap = max(abs(row["ready_mib"] - row["model_mib"]) for row in rows)
    parts = [_heading(record, name), "\n".join(table), *_tokens(rows), _gap(gap), *_failed(record), _picture(name)]
    return "\n\n".join(parts)


def _cells(row: Mapping[str, Any]) -> list[str]:
    card = f" ({row['card_gib']} GiB)" if row["card_gib"] is not None else ""
    server = f"{NAMES[row['weights']]}{CACHES[row['quant_policy']]}, {row['share']:g}{card}"
    return [server, *(f"{row[field]:.0f}" for _, field in COLUMNS), _grouped(row["kv_tokens"])]


def _heading(record: Mapping[str, Any], name: str) -> str:
    gpu, total, lmdeploy = record["gpu"], record["gpu_total_mib"], record["versions"]["lmdeploy"]
    return (
        f"{gpu}（{total} MiB），lmdeploy {lmdeploy}，TurboMind，1.8B 形状，单位 MiB；括号里的 GiB 是模拟的小卡：\n"
        f"其余显存由另一个进程占住，算在“空闲”里。命令：`{record['command']}`；原始数据在\n"
        f"[`records/{name}.json`](records/{name}.json)，采样在旁边的 `-samples.json`。\n"
        f"{gpu}, lmdeploy {lmdeploy}, TurboMind, the 1.8B shape, MiB; GiB in brackets is a smaller card, emulated:\n"
        "another process holds the rest, which is in its idle figure. Raw data in the record."
    )


def _tokens(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    by_name = {row["name"]: row for row in rows}
    if not {HALF_SHARE.id, INT8_KV.id, INT4_KV.id} <= by_name.keys():
        return []
    wide, int8, int4 = (by_name[rung.id] for rung in (HALF_SHARE, INT8_KV, INT4_KV))
    times4, times8 = (row["kv_tokens"] / wide["kv_tokens"] for row in (int4, int8))
    saved4, saved8 = (wide["ready_mib"] - row["ready_mib"] for row in (int4, int8))
    return [
        f"int4 KV 的词元数是 bf16 的 {times4:.2f} 倍，少用 {saved4} MiB；int8 是 {times8:.2f} 倍，少用 {saved8} MiB。\n"
        f"int4 KV holds {times4:.2f} times the tokens of bf16 in {saved4} MiB less, int8 {times8:.2f} times in "
        f"{saved8} MiB less."
    ]


def _gap(mib: float) -> str:
    return f"模型与实测最多相差 {mib:.0f} MiB。 Model and measurement differ by {mib:.0f} MiB at most."


def _failed(record: Mapping[str, Any]) -> list[str]:
    failed = record.get("failed_start")
    if failed is None:
        return []
    course = f"{failed['idle_mib']} → {failed['peak_mib']} → {failed['released_mib']} MiB"
    first = failed["error"].partition("\n")[0]
    return [
        f"启动失败（`{failed['name']}`，{failed['seconds']:.0f} 秒）之后显存也会还回去：{course}。\n"
        f"报出的原因 / the cause as it was named: `{first}`\n"
        f"Memory comes back from a start that fails, too ({failed['seconds']:.0f} s): {course}."
    ]


def _picture(name: str) -> str:
    return f"![显存阶梯 / the ladder](records/{name}-zh.svg)"


def _grouped(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def put(page: str, rendered: str, begins: str = BEGIN) -> str:
    """The page with what stands between the two comments replaced. Raises ValueError where they are missing."""
    before, begin, rest = page.partition(begins)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no {begins} ... {END}")
    return f"{before}{begins}\n\n{rendered}\n\n{END}{after}"


def main(arguments: Sequence[str]) -> int:
    """The program; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.ladder_table", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("record", type=Path)
    parser.add_argument("--page", type=Path, default=PAGE, help="the Markdown file (default: docs/vram.md)")
    parser.add_argument("--check", action="store_true", help="change nothing")
    given = parser.parse_args(arguments)
    page = given.page.read_text(encoding="utf-8")
    made = put(page, render(json.loads(given.record.read_text(encoding="utf-8")), given.record.stem))
    if given.check:
        return int(made != page)
    given.page.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
