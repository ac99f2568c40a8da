"""docs/overhead.md: the suite against the bare script, and the suite's own seconds."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any

from tools.tables import either, markdown, origin, raw


def pairs(record: Mapping[str, Any], stem: str, language: str) -> str:
    """A row for the pairs with the quantization and one for those without; seconds are medians of whole runs."""
    rows, bar = [], record["bar"]
    for kind, words in (
        ("cold", either(language, "需量化", "with the quantization")),
        ("cached", either(language, "已缓存", "cached")),
    ):
        if record[f"ratio_{kind}"] is not None:
            ratio, count = f"{record[f'ratio_{kind}']:.2f}", len(record[f"ratios_{kind}"])
            seconds = [_seconds(_median(record, kind, side), 1, language) for side in ("script", "suite")]
            rows.append([words, str(count), *seconds, ratio if float(ratio) <= bar else f"**{ratio}**"])
    head = either(
        language,
        ["", "对数", "脚本", "本项目", f"比值的中位数（≤ {bar}）"],
        ["", "pairs", "script", "suite", f"median ratio (≤ {bar})"],
    )
    return f"{origin(record, language)} {raw(stem, language)}\n\n{markdown(head, rows)}"


def _seconds(value: float, digits: int, language: str) -> str:
    return f"{value:.{digits}f} {either(language, '秒', 's')}"


def _median(record: Mapping[str, Any], kind: str, side: str) -> Any:
    return median(
        run["seconds"] for run in record["runs"] if run["whole"] and (run["kind"], run["side"]) == (kind, side)
    )


def own(record: Mapping[str, Any], stem: str, language: str) -> str:
    """Seconds to collect, to report and to test the suite, and the sampler's share of a processor."""
    told = [
        ["`pytest -m gpu --collect-only`", _seconds(record["collect_acceptance_seconds"]["median"], 2, language)],
        ["`pytest --collect-only`", _seconds(record["collect_seconds"]["median"], 2, language)],
        [
            either(language, "同上，空文件夹", "the same in an empty folder"),
            _seconds(record["collect_nothing_seconds"]["median"], 2, language),
        ],
        [
            either(language, "写一份报告", "writing a report"),
            _seconds(record["report_seconds"]["median"], 2, language),
        ],
        [
            either(language, "10 Hz 采样，占一个核的", "sampling at 10 Hz, of one core"),
            f"{100 * record['sampler_share_of_a_core']:.1f} %",
        ],
    ]
    if seconds := record.get("pictures_seconds"):
        told.append([either(language, "报告的截图", "the report's pictures"), _seconds(seconds, 1, language)])
    if tests := record.get("unit_tests"):
        processes = tests["processes"]
        words = either(
            language, f"本项目自己的测试，{processes} 个进程", f"the suite's own tests, {processes} processes"
        )
        told.append([words, _seconds(tests["seconds"], 1, language)])
    return f"{origin(record, language)} {raw(stem, language)}\n\n{markdown(['', ''], told)}"
