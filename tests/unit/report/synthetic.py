"""A made-up run for tests of the report and the verdict. Nothing in here was measured.

`python -m tests.unit.report.synthetic FOLDER` writes its log, and `python -m fixtures.evidence report FOLDER`
makes the page from it, to look at.
"""

from __future__ import annotations

import json
import math
import shlex
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from fixtures.client.tools import TOOLS
from fixtures.evidence.events import (
    Adapted,
    ArtefactVerified,
    CheckpointIdentified,
    ClaimsSelected,
    CommandFinished,
    EngineSeen,
    Entry,
    EnvironmentRecorded,
    Event,
    Exchanged,
    Measured,
    PhaseMarked,
    Quantized,
    RunFinished,
    RunStarted,
    ServerLaunched,
    ServerReady,
    ServerStopped,
    TestFinished,
    TryJudged,
    VramExpected,
    VramSampled,
    to_json,
)
from fixtures.homework import ADD_PROMPT, CHAIN_PROMPT, CLAIMS, MULTIPLY_PROMPT, STORY_PROMPT, SYSTEM_PROMPT
from fixtures.lmdeploy.capabilities import adaptations
from fixtures.run.claims import declared, of_suite
from fixtures.suites import Suite

PHASES = ("setup", "call", "teardown")
STORY = (
    "从前，山脚下住着一只小狐狸。夏天到了，它在田边发现了一个又大又圆的西瓜。狐狸想把西瓜搬回家，可是西瓜太重，"
    "怎么推也推不动。\n\n这时一只小刺猬路过，说：“我们一起来吧！”它们把西瓜滚下山坡，切成两半，分给了林子里的每一位朋友。"
    "狐狸这才明白，分享的西瓜比独自吃的更甜。"
)
AWQ_ARGV = shlex.split(
    "lmdeploy lite auto_awq internlm2_5-1_8b-chat --calib-dataset ptb --calib-samples 128 --calib-seqlen 2048 "
    "--w-bits 4 --w-group-size 128 --batch-size 1 --work-dir internlm2_5-1_8b-chat-w4a16-4bit"
)
SERVE_ARGV = shlex.split(
    "lmdeploy serve api_server internlm2_5-1_8b-chat-w4a16-4bit --model-format awq --cache-max-entry-count 0.4 "
    "--quant-policy 4 --server-name 127.0.0.1 --server-port 23333 --tp 1 --model-name internlm2_5-1_8b-chat "
    "--tool-call-parser internlm"
)
OFFERED = json.loads(json.dumps(TOOLS))
REAL = CheckpointIdentified(
    name="internlm2_5-1_8b-chat",
    origin="path",
    geometry="internlm2_5-1_8b",
    fingerprint="sha256:9f2c41d07ab3e55810c6",
    bytes=3_778_000_000,
    parameters=1_889_110_016,
    code=["configuration_internlm2.py", "modeling_internlm2.py"],
)
STANDIN = replace(
    REAL, name="internlm2_5-standin-chat", origin="standin", geometry="standin", bytes=7_300_000, parameters=3_670_000
)
MEASURES: dict[str, tuple[Any, ...]] = {
    "environment.recorded": ("gpu", "NVIDIA GeForce RTX 4090"),
    "quantization.smaller": ("size", 1_530.2, "MiB", "<", 3_603.0),
    "quantization.config": ("quantization_config", "awq"),
    "server.named_model": ("model", "internlm2_5-1_8b-chat", "", "==", "internlm2_5-1_8b-chat"),
    "chat.replies_in_chinese": ("chinese_share_of_letters", 1.0, "", ">=", 0.8),
    "chat.tells_of_fox_and_watermelon": ("heroes", ["狐狸", "西瓜"], "", "==", ["狐狸", "西瓜"]),
    "chat.ends_by_itself": ("finish_reason", "stop", "", "==", "stop"),
    "chat.leaks_no_special_token": ("special_tokens", [], "", "==", []),
    "chat.does_not_loop": ("repeated_share", 0.0, "", "<=", 0.4),
    "vram.after_start": ("vram_after_start", 12_612, "MiB", "<=", 13_291),
    "vram.peak": ("vram_peak", 12_744, "MiB", "<=", 13_803),
    "vram.released": ("vram_after_stop", 415, "MiB", "<=", 712),
}
"""Name, value, unit, relation and limit of what each claim measured."""


def layer_errors() -> list[list[Any]]:
    """Errors of 24 decoder layers, of the size that 4-bit rounding leaves."""
    parts = {"attention.wqkv": 0.104, "attention.wo": 0.103, "feed_forward.w1": 0.101, "feed_forward.w3": 0.102,
             "feed_forward.w2": 0.131}  # fmt: skip
    return [
        [f"model.layers.{number}.{part}", round(error + 0.004 * ((7 * number + at) % 5), 5)]
        for number in range(24)
        for at, (part, error) in enumerate(parts.items())
    ]


def node(claim: str) -> str:
    """The node id of the made-up test of a claim."""
    part, _, name = claim.partition(".")
    return f"tests/acceptance/test_{part}.py::test_{name}"


def chat(test: str, messages: list[dict[str, object]], message: dict[str, object], **extra: object) -> Exchanged:
    """An exchange as the client records it."""
    model = {"model": "internlm2_5-1_8b-chat"}
    ended = "tool_calls" if message.get("tool_calls") else "stop"
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": ended}
    usage = {"prompt_tokens": 180, "completion_tokens": 160, "total_tokens": 340}
    request = {**model, "messages": messages, "temperature": 0.8, "top_p": 0.8, **extra}
    response = {"id": "42", "object": "chat.completion", **model, "choices": [choice], "usage": usage}
    return Exchanged(test, "/v1/chat/completions", request, 200, response, seconds=1.9)


def tool_call(number: int, name: str, arguments: dict[str, object]) -> dict[str, object]:
    """A tool call as the server writes it."""
    return {
        "id": f"chatcmpl-tool-{number}",
        "type": "function",
        "function": {"name": name, "arguments": json.dumps(arguments)},
    }


def tools_exchanges(claim: str, prompt: str, calls: list[tuple[str, int, int, int]], final: str) -> list[Exchanged]:
    """A conversation with the calls made one after the other."""
    messages: list[dict[str, object]] = [{"role": "user", "content": prompt}]
    found = []
    for number, (name, a, b, result) in enumerate(calls):
        call = tool_call(number, name, {"a": a, "b": b})
        message: dict[str, object] = {"content": "我来调用函数。", "tool_calls": [call]}
        found.append(chat(node(claim), list(messages), message, tools=OFFERED, tool_choice="auto"))
        messages.append({"role": "assistant", **message})
        messages.append(
            {"role": "tool", "content": f"{a}{'+' if name == 'add' else '*'}{b}={result}", "tool_call_id": call["id"]}
        )
    found.append(chat(node(claim), list(messages), {"content": final}, tools=OFFERED, tool_choice="auto"))
    return found


@cache
def vram(t: float) -> float:
    """A plausible course of memory over a run of 78 s, MiB."""
    points = [(0, 412), (3, 412), (4, 3_900), (14, 4_300), (15, 412), (16, 412), (19, 900), (24, 2_610),
              (28, 2_700), (29, 11_870), (34, 12_612), (44, 12_612), (45, 12_700),
              (52, 12_744), (66, 12_744), (69, 12_744), (71, 640), (72, 415), (78, 415)]  # fmt: skip
    for (t0, mib0), (t1, mib1) in pairwise(points):
        if t0 <= t <= t1:
            return round(mib0 + (mib1 - mib0) * (t - t0) / (t1 - t0) + 6 * math.sin(7 * t), 1)
    return 415.0


def events(
    checkpoint: CheckpointIdentified = REAL,
    rehearsal: bool = False,
    limit_peak: float = 13_803.0,
) -> list[tuple[float, Event]]:
    """A run in which everything passed, with the second at which each event happened."""
    happened: list[tuple[float, Event]] = [
        (0.0, RunStarted(
            run_id="20261122T164745Z-3fa1",
            argv=["pytest", "-m", "gpu", "--checkpoint", "internlm2_5-1_8b-chat"],
            settings={"checkpoint": checkpoint.name, "cache_max_entry_count": 0.4, "quant_policy": 4, "tp": 1,
                      "backend": "turbomind", "server_name": "127.0.0.1", "server_port": 0, "call_tries": 5,
                      "rehearse": rehearsal},
            changed={"rehearse": True} if rehearsal else {},
            commit="5f0c2d6c7b1f4c0bb5b0f9c4e1a2d3b4c5d6e7f8", dirty=False, rehearsal=rehearsal)),
        (0.4, ClaimsSelected(selected=list(CLAIMS), deselected=[], tests=len(CLAIMS))),
        (1.0, EnvironmentRecorded(
            versions={"lmdeploy": "0.18.0", "torch": "2.11.0", "transformers": "4.57.6", "openai": "3.54.0"},
            python="3.12.3", platform="Linux-6.8-x86_64", gpu="" if rehearsal else "NVIDIA GeForce RTX 4090",
            gpu_total_mib=0 if rehearsal else 24_564, driver="" if rehearsal else "580.159.04",
            cuda="" if rehearsal else "13.0")),
        (1.1, Adapted(lmdeploy="0.18.0", adaptations=[asdict(one) for one in adaptations("0.18.0")])),
        (2.0, checkpoint),
        (15.5, CommandFinished(name="lmdeploy lite auto_awq", argv=AWQ_ARGV, exit_code=0, seconds=13.1)),
        (15.8, Quantized(
            argv=AWQ_ARGV, cached=False, seconds=107.3, key="b5c1d7", calibration="ptb", template="tools",
            source_bytes=checkpoint.bytes, quantized_bytes=int(checkpoint.bytes * 0.425),
            quantization_config={"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True},
            calibration_text={"dataset": "ptb", "samples": 128, "sample_tokens": 2048, "texts": 42_068,
                              "characters": 4_000_000, "tokens": 1_094_513, "unknown_share": 0.0,
                              "sha256": "5e" * 32})),
        (15.9, ArtefactVerified(
            findings=[], layers=layer_errors(), source_bytes=checkpoint.bytes,
            predicted_bytes=int(checkpoint.bytes * 0.425), found_bytes=int(checkpoint.bytes * 0.425), seconds=7.4)),
        (16.2, ServerLaunched(argv=SERVE_ARGV, url="http://127.0.0.1:23333")),
        *([] if rehearsal else [(35.0, EngineSeen("turbomind", "turbomind"))]),
        (35.0, ServerReady(seconds=18.8, models=["internlm2_5-1_8b-chat"])),
        (72.5, ServerStopped(exit_code=0, seconds=3.2)),
    ]  # fmt: skip
    if not rehearsal:
        happened += _memory(limit_peak)
    story_at = 44.5
    messages: list[dict[str, object]] = [
        {"role": "system", "content": SYSTEM_PROMPT},
        {"role": "user", "content": STORY_PROMPT},
    ]
    happened.append((story_at + 5, chat(node("chat.replies_in_chinese"), messages, {"content": STORY})))
    happened += _tries()
    for number, claim in enumerate(CLAIMS):
        t = 36 + number * 2.5
        if rehearsal and declared(claim).needs_gpu:
            happened += [(t, TestFinished(node(claim), claim, "setup", "skipped", 0.0, "no GPU"))]
            happened += [(t, TestFinished(node(claim), claim, "teardown", "passed", 0.0))]
            continue
        if claim in MEASURES:
            happened.append((t, Measured(claim, *MEASURES[claim])))
        happened += [(t + 0.1 + n / 10, test) for n, test in enumerate(finished(claim))]
    happened.append((78.0, RunFinished(exit_status=0, tests_run=len(CLAIMS))))
    return sorted(happened, key=lambda pair: pair[0])


def _memory(limit_peak: float) -> list[tuple[float, Event]]:
    found: list[tuple[float, Event]] = [
        (15.9, VramExpected(
            baseline_mib=412.0, ready_limit_mib=13_291.0, peak_limit_mib=limit_peak,
            parts={"weights": 1_530.0, "kv": 8_710.0, "rest": 1_724.0},
            terms={"total": 24_564.0, "reserved": 551.0, "baseline": 412.0, "weights": 1_530.0, "context": 845.0,
                   "share": 0.4, "kv": 8_710.0, "workspace": 879.0, "ready": 11_936.0})),
    ]  # fmt: skip
    marks = [(0.6, "idle"), (2.5, "quantization.smaller"), (16.1, "loading"), (35.0, "ready"), (72.6, "stopped")]
    marks += [(36 + n * 2.5, claim) for n, claim in enumerate(CLAIMS[3:])]
    found += [(t, PhaseMarked(phase)) for t, phase in marks]
    for second in range(1, 78):
        batch = [[second - 1 + k / 10, vram(second - 1 + k / 10)] for k in range(10) if second - 1 + k / 10 >= 0.6]
        found.append((second + 0.01, VramSampled(batch)))
    return found


def _tries() -> list[tuple[float, Event]]:
    add = [("add", 3, 5, 8)]
    multiply = [("mul", 8, 2, 16)]
    found: list[tuple[float, Event]] = []
    for at, claim, prompt, calls, final in (
        (58.0, "tools.add", ADD_PROMPT, add, "3+5=8"),
        (60.5, "tools.multiply", MULTIPLY_PROMPT, multiply, "8*2=16"),
        (63.5, "tools.chain", CHAIN_PROMPT, add + multiply, "(3+5)*2 的结果是 16。"),
    ):
        found += [(at, exchange) for exchange in tools_exchanges(claim, prompt, calls, final)]
        if claim == "tools.chain":
            found.append((at, TryJudged(claim, 1, False, "no tool call in the first answer", [], "结果是 16。")))
        made = [{"name": name, "arguments": {"a": a, "b": b}, "result": result} for name, a, b, result in calls]
        number = 2 if claim == "tools.chain" else 1
        found.append((at + 0.1, TryJudged(claim, number, True, "", made, final)))
    return found


def finished(claim: str, outcome: str = "passed", cause: Any = "") -> list[TestFinished]:
    """The phases of a claim's test, of which the call came out as said."""
    phases = [TestFinished(node(claim), claim, when, "passed", 0.1) for when in PHASES]
    return [replace(one, outcome=outcome, cause=cause) if one.when == "call" else one for one in phases]


def alone(suite: Suite, *proof: Event, lost: str = "", cause: Any = "no answer") -> list[tuple[float, Event]]:
    """A run that judged one suite alone: each claim measured 1 and passed, but `lost`.

    :param proof: what the suite records, without which nothing was measured.
    """
    claims = [claim.id for claim in of_suite(suite.id)]
    happened: list[Event] = [
        RunStarted("20261122T190000Z-1add", ["pytest", "-m", suite.mark], {}, {}, "", False, suite=suite.id),
        ClaimsSelected(claims, [], len(claims)),
        STANDIN,
        *proof,
    ]
    for claim in claims:
        happened.append(Measured(claim, "status", 1))
        happened += finished(claim, "failed", cause) if claim == lost else finished(claim)
    happened.append(RunFinished(int(bool(lost)), len(claims)))
    return [(float(second), event) for second, event in enumerate(happened)]


def changed(change: Callable[[Event], Event | None]) -> list[Entry]:
    """The run in which everything passed, each event as the function returns it; None leaves it out."""
    return entries([(t, other) for t, event in events() if (other := change(event)) is not None])


def failing(claim: str, cause: Any = "", when: str = "call", outcome: str = "failed") -> list[Entry]:
    """The same, but a phase of each test whose claim begins so came out otherwise."""
    return changed(
        lambda event: (
            replace(event, outcome=outcome, cause=cause)
            if isinstance(event, TestFinished) and event.claim.startswith(claim) and event.when == when
            else event
        )
    )


def with_events(*more: tuple[float, Event]) -> list[Entry]:
    """The same with further events."""
    return entries(sorted([*events(), *more], key=lambda pair: pair[0]))


def entries(happened: list[tuple[float, Event]] | None = None) -> list[Entry]:
    """The events as entries of a log that began at a fixed moment."""
    return [
        Entry(t=t, at=f"2026-11-23T00:{47 + int(t) // 60:02d}:{t % 60:06.3f}+08:00", event=event)
        for t, event in (events() if happened is None else happened)
    ]


def write(folder: Path, log: list[Entry]) -> Path:
    """The entries as `folder/events.jsonl`."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(to_json(entry), allow_nan=False) + "\n" for entry in log]
    (folder / "events.jsonl").write_text("".join(lines), encoding="ascii")
    return folder


if __name__ == "__main__":
    write(Path(sys.argv[1]), entries())
