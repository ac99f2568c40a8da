"""docs/vram*.md: the memory ladder. MiB."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tests.acceptance.ladder.picture import LANGUAGES, draw
from tests.acceptance.ladder.rungs import HALF_SHARE, INT4_KV, INT8_KV
from tools.tables import markdown

NAMES: Final = {"bf16": "bf16", "w4a16": "W4A16"}
CACHES: Final = {0: "", 8: ", int8 KV", 4: ", int4 KV"}
COLUMNS: Final = {
    "idle_mib": "空闲 idle",
    "loaded_mib": "权重已载入 loaded",
    "ready_mib": "启动后 ready",
    "peak_mib": "峰值 peak",
    "released_mib": "停止后 released",
    "model_mib": "模型 model",
}


def table(record: Mapping[str, Any], stem: str) -> str:
    """What was run, a row for each rung, and what the cache's precision buys."""
    gpu, rows = record["gpu"], record["rows"]
    gap = max(abs(row["ready_mib"] - row["model_mib"]) for row in rows)
    return "\n\n".join(
        [
            f"{gpu}（{record['gpu_total_mib']} MiB），lmdeploy {record['versions']['lmdeploy']}，TurboMind，1.8B 形状，"
            "单位 MiB；括号里的 GiB 是模拟的小卡：\n"
            f"其余显存由另一个进程占住，算在“空闲”里。命令：`{record['command']}`；原始数据在\n"
            f"[`records/{stem}.json`](records/{stem}.json)，采样在旁边的 `-samples.json`。\n"
            f"{gpu}, the 1.8B shape, MiB; GiB in brackets is a smaller card, emulated: another process holds the rest\n"
            "and is in its idle figure. Raw data in the record.",
            markdown(["服务 / server", *COLUMNS.values(), "KV 词元 KV tokens"], (_cells(row) for row in rows)),
            *_tokens({row["name"]: row for row in rows}),
            f"模型与实测最多相差 {gap:.0f} MiB。 Model and measurement differ by {gap:.0f} MiB at most.",
            *_failed(record.get("failed_start")),
            f"![显存阶梯 / the ladder](records/{stem}-zh.svg)",
        ]
    )


def _cells(row: Mapping[str, Any]) -> list[str]:
    card = f" ({row['card_gib']} GiB)" if row["card_gib"] is not None else ""
    server = f"{NAMES[row['weights']]}{CACHES[row['quant_policy']]}, {row['share']:g}{card}"
    return [server, *(f"{row[field]:.0f}" for field in COLUMNS), f"{row['kv_tokens']:,}".replace(",", " ")]


def _tokens(rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    if not {HALF_SHARE.id, INT8_KV.id, INT4_KV.id} <= rows.keys():
        return []
    wide, int8, int4 = (rows[rung.id] for rung in (HALF_SHARE, INT8_KV, INT4_KV))
    times4, times8 = (row["kv_tokens"] / wide["kv_tokens"] for row in (int4, int8))
    saved4, saved8 = (wide["ready_mib"] - row["ready_mib"] for row in (int4, int8))
    return [
        f"int4 KV 的词元数是 bf16 的 {times4:.2f} 倍，少用 {saved4} MiB；int8 是 {times8:.2f} 倍，少用 {saved8} MiB。\n"
        f"int4 KV holds {times4:.2f} times the tokens of bf16 in {saved4} MiB less, int8 {times8:.2f} times in "
        f"{saved8} MiB less."
    ]


def _failed(failed: Mapping[str, Any] | None) -> list[str]:
    if failed is None:
        return []
    course = f"{failed['idle_mib']} → {failed['peak_mib']} → {failed['released_mib']} MiB"
    return [
        f"启动失败（`{failed['name']}`，{failed['seconds']:.0f} 秒）之后显存也会还回去：{course}。\n"
        f"报出的原因 / the cause as it was named: `{failed['error'].splitlines()[0]}`\n"
        f"Memory comes back from a start that fails, too ({failed['seconds']:.0f} s): {course}."
    ]


def pictures(record: Mapping[str, Any], stem: str) -> dict[str, str]:
    """The ladder as bars, in each language."""
    return {f"{stem}-{language}.svg": draw(record, language) for language in LANGUAGES}
