"""`python -m tools.performance RECORD.json`: put a record's figures into docs/performance.md, as it has them.

`... RECORD.json --check` only says whether they are there; exit status 1 if not.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from fixtures.texts import LANGUAGES, Texts
from tests.acceptance.performance.picture import draw
from tools.ladder_table import put

PAGE: Final = Path(__file__).parents[2] / "docs" / "performance.md"
BEGIN: Final = "<!-- written by python -m tools.performance -->"

HEAD: Final = (
    "服务 / server",
    "负载 / load",
    "TTFT 中位/median",
    "p95",
    "p99",
    "ITL 中位/median",
    "p95",
    "p99",
    "词元/秒 tokens/s",
    "请求/秒 requests/s",
)


def render(record: Mapping[str, Any], name: str) -> str:
    """The record as Markdown, Chinese and English. Latencies in ms.

    :param name: of the record's file, without `.json`.
    """
    servers = record["servers"]
    rows = [_cells(server["name"], load) for server in servers for load in server["loads"]]
    table = [f"| {' | '.join(cells)} |" for cells in (HEAD, ["---"] * len(HEAD), *rows)]
    prompt, answer = servers[0]["prompt_tokens"], servers[0]["answer_tokens"]
    heading = (
        f"{record['gpu']}，lmdeploy {record['versions']['lmdeploy']}，{record['checkpoint']}，提示词 {prompt} 词元，"
        f"回答 {answer} 词元，延时单位毫秒。命令：`{record['command']}`；原始数据在\n"
        f"[`records/{name}.json`](records/{name}.json)，每个请求的时刻在旁边的 `-samples.json`。\n"
        f"{record['gpu']}, prompts of {prompt} tokens, answers of {answer}, milliseconds."
    )
    return "\n\n".join([heading, "\n".join(table), *_held(servers), *_agreement(servers), *_pictures(servers, name)])


def _cells(name: str, load: Mapping[str, Any]) -> list[str]:
    latencies = [f"{load[kind][part]:.1f}" for kind in ("ttft_ms", "itl_ms") for part in ("median", "p95", "p99")]
    return [name, load["load"], *latencies, f"{load['tokens_per_s']:.0f}", f"{load['requests_per_s']:.2f}"]


def _held(servers: Sequence[Mapping[str, Any]]) -> list[str]:
    held = [server for server in servers if server["held"]]
    if not held:
        return []
    told = "；".join(f"{server['name']} {server['held']['at_once']}" for server in held)
    tokens = held[0]["held"]["context_tokens"]
    return [f"上下文 {tokens} 词元时能同时回答的请求 / requests of {tokens} tokens answered at once: {told}。"]


def _agreement(servers: Sequence[Mapping[str, Any]]) -> list[str]:
    return [
        f"与 lmdeploy 自己的口径最多相差 {100 * found['apart']:.1f} %。"
        f" From lmdeploy's own protocol at most {100 * found['apart']:.1f} % apart: TTFT "
        f"{found['ttft_mean_ms'][0]} / {found['ttft_mean_ms'][1]} ms, {found['tokens_per_s'][0]} / "
        f"{found['tokens_per_s'][1]} tokens/s."
        for server in servers
        if (found := server["agreement"])
    ]


def _pictures(servers: Sequence[dict[str, Any]], name: str) -> list[str]:
    drawn = draw(servers, Texts(LANGUAGES[0])) is not None
    return [f"![性能 / performance](records/{name}-zh.svg)"] if drawn else []


def main(arguments: Sequence[str]) -> int:
    """The program; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.performance", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("record", type=Path)
    parser.add_argument("--page", type=Path, default=PAGE, help="the Markdown file (default: docs/performance.md)")
    parser.add_argument("--check", action="store_true", help="change nothing")
    given = parser.parse_args(arguments)
    record = json.loads(given.record.read_text(encoding="utf-8"))
    page = given.page.read_text(encoding="utf-8")
    made = put(page, render(record, given.record.stem), BEGIN)
    if given.check:
        return int(made != page)
    given.page.write_text(made, encoding="utf-8")
    for language in LANGUAGES:
        picture = draw(record["servers"], Texts(language), xmlns="http://www.w3.org/2000/svg")
        if picture is not None:
            given.record.with_name(f"{given.record.stem}-{language}.svg").write_text(f"{picture}\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
