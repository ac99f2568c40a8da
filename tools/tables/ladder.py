"""docs/vram.md: the memory ladder. MiB."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tests.acceptance.ladder.picture import LANGUAGES, draw
from tests.acceptance.ladder.rungs import HALF_SHARE, INT4_KV, INT8_KV
from tools.tables import either, markdown, raw

NAMES: Final = {"bf16": "bf16", "w4a16": "W4A16"}
CACHES: Final = {0: "", 8: ", int8 KV", 4: ", int4 KV"}
COLUMNS: Final = ("idle_mib", "loaded_mib", "ready_mib", "peak_mib", "released_mib", "model_mib")


def table(record: Mapping[str, Any], stem: str, language: str) -> str:
    """What was run, a row for each rung, and what the cache's precision buys."""
    rows, on = record["rows"], f"lmdeploy {record['versions']['lmdeploy']}"
    gpu, total, command = record["gpu"], record["gpu_total_mib"], record["command"]
    head = either(
        language,
        ["服务", "空闲", "权重已载入", "启动后", "峰值", "停止后", "模型", "KV token 数"],
        ["server", "idle", "weights loaded", "ready", "peak", "released", "model", "KV tokens"],
    )
    return "\n\n".join(
        [
            either(
                language,
                f"{gpu}（{total} MiB），{on}，TurboMind，1.8B 形状，单位 MiB；括号里的 GiB 是模拟的小卡：\n"
                f"其余显存由另一个进程占住，计入“空闲”一列。命令：`{command}`；{raw(stem, language)}，"
                "采样在旁边的 `-samples.json`。",
                f"{gpu} ({total} MiB), {on}, TurboMind, the 1.8B shape, MiB. GiB in brackets is a smaller card,\n"
                f"emulated: another process holds the rest, which the idle column includes. Command: `{command}`; "
                f"{raw(stem, language)},\nthe samples are in `-samples.json` beside it.",
            ),
            markdown(head, (_cells(row) for row in rows)),
            *_tokens({row["name"]: row for row in rows}, language),
            *_failed(record.get("failed_start"), language),
            f"![{either(language, '显存阶梯', 'the memory ladder')}](records/{stem}-{language}.svg)",
        ]
    )


def _cells(row: Mapping[str, Any]) -> list[str]:
    card = f" ({row['card_gib']} GiB)" if row["card_gib"] is not None else ""
    server = f"{NAMES[row['weights']]}{CACHES[row['quant_policy']]}, {row['share']:g}{card}"
    return [server, *(f"{row[field]:.0f}" for field in COLUMNS), f"{row['kv_tokens']:,}".replace(",", " ")]


def _tokens(rows: Mapping[str, Mapping[str, Any]], language: str) -> list[str]:
    if not {HALF_SHARE.id, INT8_KV.id, INT4_KV.id} <= rows.keys():
        return []
    gap = max(abs(row["ready_mib"] - row["model_mib"]) for row in rows.values())
    wide, int8, int4 = (rows[rung.id] for rung in (HALF_SHARE, INT8_KV, INT4_KV))
    times4, times8 = (row["kv_tokens"] / wide["kv_tokens"] for row in (int4, int8))
    saved4, saved8 = (wide["ready_mib"] - row["ready_mib"] for row in (int4, int8))
    return [
        either(
            language,
            f"int4 KV 的 token 数是 bf16 的 {times4:.2f} 倍，少用 {saved4} MiB；"
            f"int8 是 {times8:.2f} 倍，少用 {saved8} MiB。"
            f"模型与实测最多相差 {gap:.0f} MiB。",
            f"int4 KV holds {times4:.2f} times the tokens of bf16 in {saved4} MiB less, int8 {times8:.2f} times in "
            f"{saved8} MiB less. Model and measurement\ndiffer by {gap:.0f} MiB at most.",
        )
    ]


def _failed(failed: Mapping[str, Any] | None, language: str) -> list[str]:
    if failed is None:
        return []
    course = f"{failed['idle_mib']} → {failed['peak_mib']} → {failed['released_mib']} MiB"
    name, seconds = failed["name"], failed["seconds"]
    told = either(
        language,
        f"启动失败（`{name}`，{seconds:.0f} 秒）之后显存同样归还：{course}。报出的原因：",
        f"Memory comes back after a failed start too (`{name}`, {seconds:.0f} s): {course}. The cause it named:",
    )
    return [f"{told}\n`{failed['error'].splitlines()[0]}`"]


def pictures(record: Mapping[str, Any], stem: str) -> dict[str, str]:
    """The ladder as bars, in each language."""
    return {f"{stem}-{language}.svg": draw(record, language) for language in LANGUAGES}
