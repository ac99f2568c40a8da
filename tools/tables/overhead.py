"""docs/overhead.md: the suite against the bare script, and the suite's own seconds."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any

from tools.tables import markdown, origin


def pairs(record: Mapping[str, Any], stem: str) -> str:
    """A row for the pairs with the quantization and one for those without; seconds are medians of whole runs."""
    rows = []
    for kind, words in (("cold", "需量化 / with the quantization"), ("cached", "已缓存 / cached")):
        if (ratio := record[f"ratio_{kind}"]) is not None:
            seconds = [f"{_median(record, kind, side):.1f} s" for side in ("script", "suite")]
            shown = f"{ratio:.2f}" if ratio <= record["bar"] else f"**{ratio:.2f}**"
            rows.append([words, str(len(record[f"ratios_{kind}"])), *seconds, shown])
    head = ["", "对数 / pairs", "脚本 / script", "本项目 / suite", f"比值的中位数 / median ratio (≤ {record['bar']})"]
    return f"{origin(record)} [raw data](records/{stem}.json)\n\n{markdown(head, rows)}"


def _median(record: Mapping[str, Any], kind: str, side: str) -> Any:
    return median(
        run["seconds"] for run in record["runs"] if run["whole"] and (run["kind"], run["side"]) == (kind, side)
    )


def own(record: Mapping[str, Any], stem: str) -> str:
    """Seconds to collect, to report and to test the suite, and the sampler's share of a processor."""
    told = {
        "`pytest -m gpu --collect-only`": f"{record['collect_acceptance_seconds']['median']:.2f} s",
        "`pytest --collect-only`": f"{record['collect_seconds']['median']:.2f} s",
        "空文件夹 / in an empty folder": f"{record['collect_nothing_seconds']['median']:.2f} s",
        "写一份报告 / writing a report": f"{record['report_seconds']['median']:.2f} s",
        "10 Hz 采样占一个核 / of a core for sampling at 10 Hz": f"{100 * record['sampler_share_of_a_core']:.1f} %",
    }
    if tests := record.get("unit_tests"):
        told[f"`tests`, {tests['processes']} processes: {tests['said']}"] = f"{tests['seconds']:.1f} s"
    return f"{origin(record)} [raw data](records/{stem}.json)\n\n{markdown(['', ''], told.items())}"
