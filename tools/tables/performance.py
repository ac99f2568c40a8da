"""docs/performance.md: servers under load. Latencies in ms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fixtures.texts import LANGUAGES, Texts
from tests.acceptance.performance.picture import draw
from tools.tables import either, markdown, raw

SVG: Final = "http://www.w3.org/2000/svg"


def table(record: Mapping[str, Any], stem: str, language: str) -> str:
    """What was run, a row for each load, requests at once, and how far lmdeploy's own protocol is."""
    servers, on = record["servers"], f"lmdeploy {record['versions']['lmdeploy']}"
    gpu, checkpoint, command = record["gpu"], record["checkpoint"], record["command"]
    prompt, answer = servers[0]["prompt_tokens"], servers[0]["answer_tokens"]
    head = either(
        language,
        ["服务", "负载", "TTFT 中位数", "p95", "p99", "ITL 中位数", "p95", "p99", "token/秒", "请求/秒"],
        ["server", "load", "TTFT median", "p95", "p99", "ITL median", "p95", "p99", "tokens/s", "requests/s"],
    )
    shown = f"{stem}-{language}.svg" in pictures(record, stem)
    return "\n\n".join(
        [
            either(
                language,
                f"{gpu}，{on}，{checkpoint}，提示词 {prompt} token，回答 {answer} token，延时单位毫秒。\n"
                f"命令：`{command}`；{raw(stem, language)}，每个请求的时刻在旁边的 `-samples.json`。",
                f"{gpu}, {on}, {checkpoint}, prompts of {prompt} tokens, answers of {answer}; "
                f"latencies in milliseconds.\nCommand: `{command}`; {raw(stem, language)}, every request's\n"
                "times are in `-samples.json` beside it.",
            ),
            markdown(head, (_cells(server["name"], load) for server in servers for load in server["loads"])),
            *_at_once(servers, language),
            *(_agreement(server["agreement"], language) for server in servers if server["agreement"]),
            *([f"![{either(language, '性能', 'performance')}](records/{stem}-{language}.svg)"] if shown else []),
        ]
    )


def _cells(name: str, load: Mapping[str, Any]) -> list[str]:
    latencies = [f"{load[kind][part]:.1f}" for kind in ("ttft_ms", "itl_ms") for part in ("median", "p95", "p99")]
    return [name, load["load"], *latencies, f"{load['tokens_per_s']:.0f}", f"{load['requests_per_s']:.2f}"]


def _at_once(servers: list[dict[str, Any]], language: str) -> list[str]:
    full = [server for server in servers if server["held"]]
    if not full:
        return []
    tokens = full[0]["held"]["context_tokens"]
    told = either(language, "；", "; ").join(f"{server['name']} {server['held']['at_once']}" for server in full)
    return [
        either(
            language,
            f"每个请求 {tokens} token 时能同时回答的请求数：{told}。",
            f"Requests of {tokens} tokens answered at the same time: {told}.",
        )
    ]


def _agreement(found: Mapping[str, Any], language: str) -> str:
    apart, ttft, tokens = 100 * found["apart"], found["ttft_mean_ms"], found["tokens_per_s"]
    return either(
        language,
        f"与 lmdeploy 自己的口径最多相差 {apart:.1f} %：TTFT {ttft[0]} / {ttft[1]} ms，"
        f"{tokens[0]} / {tokens[1]} token/秒。",
        f"At most {apart:.1f} % from lmdeploy's own protocol: TTFT {ttft[0]} / {ttft[1]} ms, {tokens[0]} / {tokens[1]} "
        "tokens/s.",
    )


def pictures(record: Mapping[str, Any], stem: str) -> dict[str, str]:
    """Throughput and latency by users, in each language; none where there was but one load."""
    drawn = {language: draw(record["servers"], Texts(language), xmlns=SVG) for language in LANGUAGES}
    return {f"{stem}-{language}.svg": str(picture) for language, picture in drawn.items() if picture is not None}
