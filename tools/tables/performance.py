"""docs/performance.md: servers under load. Latencies in ms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fixtures.texts import LANGUAGES, Texts
from tests.acceptance.performance.picture import draw
from tools.tables import markdown

SVG: Final = "http://www.w3.org/2000/svg"
HEAD: Final = (
    *("服务 / server", "负载 / load", "TTFT 中位/median", "p95", "p99", "ITL 中位/median", "p95", "p99"),
    *("词元/秒 tokens/s", "请求/秒 requests/s"),
)


def table(record: Mapping[str, Any], stem: str) -> str:
    """What was run, a row for each load, requests at once, and how far lmdeploy's own protocol is."""
    gpu, servers = record["gpu"], record["servers"]
    prompt, answer = servers[0]["prompt_tokens"], servers[0]["answer_tokens"]
    full = [server for server in servers if server["held"]]
    told = "；".join(f"{server['name']} {server['held']['at_once']}" for server in full)
    return "\n\n".join(
        [
            f"{gpu}，lmdeploy {record['versions']['lmdeploy']}，{record['checkpoint']}，提示词 {prompt} 词元，"
            f"回答 {answer} 词元，延时单位毫秒。命令：`{record['command']}`；原始数据在\n"
            f"[`records/{stem}.json`](records/{stem}.json)，每个请求的时刻在旁边的 `-samples.json`。\n"
            f"{gpu}, prompts of {prompt} tokens, answers of {answer}, milliseconds.",
            markdown(HEAD, (_cells(server["name"], load) for server in servers for load in server["loads"])),
            *(
                f"上下文 {one['context_tokens']} 词元时能同时回答的请求 / requests of {one['context_tokens']} tokens "
                f"answered at once: {told}。"
                for one in [server["held"] for server in full][:1]
            ),
            *(_agreement(server["agreement"]) for server in servers if server["agreement"]),
            *(f"![性能 / performance](records/{name})" for name in list(pictures(record, stem))[:1]),
        ]
    )


def _cells(name: str, load: Mapping[str, Any]) -> list[str]:
    latencies = [f"{load[kind][part]:.1f}" for kind in ("ttft_ms", "itl_ms") for part in ("median", "p95", "p99")]
    return [name, load["load"], *latencies, f"{load['tokens_per_s']:.0f}", f"{load['requests_per_s']:.2f}"]


def _agreement(found: Mapping[str, Any]) -> str:
    apart, ttft, tokens = 100 * found["apart"], found["ttft_mean_ms"], found["tokens_per_s"]
    return (
        f"与 lmdeploy 自己的口径最多相差 {apart:.1f} %。 From lmdeploy's own protocol at most {apart:.1f} % apart: "
        f"TTFT {ttft[0]} / {ttft[1]} ms, {tokens[0]} / {tokens[1]} tokens/s."
    )


def pictures(record: Mapping[str, Any], stem: str) -> dict[str, str]:
    """Throughput and latency by users, in each language; none where there was but one load."""
    drawn = {language: draw(record["servers"], Texts(language), xmlns=SVG) for language in LANGUAGES}
    return {f"{stem}-{language}.svg": str(picture) for language, picture in drawn.items() if picture is not None}
