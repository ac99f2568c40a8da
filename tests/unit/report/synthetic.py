"""A made-up run for tests of the report. Nothing in here was measured."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
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
MODEL = "internlm2_5-1_8b-chat"
REAL = CheckpointIdentified(
    MODEL, "path", "internlm2_5-1_8b", "sha256:9f2c41d07ab3e55810c6", bytes=3_778_000_000, parameters=1_889_110_016,
    code=["configuration_internlm2.py", "modeling_internlm2.py"],
)  # fmt: skip
STANDIN = replace(REAL, origin="standin", geometry="standin")
LAYERS: list[list[Any]] = [
    [f"model.layers.{number}.{part}", round(error + 0.004 * (7 * number % 5), 5)]
    for number in range(24)
    for part, error in (("attention.wqkv", 0.104), ("attention.wo", 0.103), ("feed_forward.w1", 0.101),
                        ("feed_forward.w3", 0.102), ("feed_forward.w2", 0.131))
]  # fmt: skip
"""Errors of 24 decoder layers, of the size that 4-bit rounding leaves."""


def node(claim: str) -> str:
    """The node id of the made-up test of a claim."""
    part, _, name = claim.partition(".")
    return f"tests/acceptance/test_{part}.py::test_{name}"


def chat(claim: str, messages: list[dict[str, Any]], message: dict[str, Any], **extra: Any) -> Exchanged:
    """An exchange as the client records it."""
    ended = "tool_calls" if message.get("tool_calls") else "stop"
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": ended}
    usage = {"prompt_tokens": 180, "completion_tokens": 160, "total_tokens": 340}
    request = {"model": MODEL, "messages": messages, "temperature": 0.8, "top_p": 0.8, **extra}
    response = {"model": MODEL, "choices": [choice], "usage": usage}
    return Exchanged(node(claim), "/v1/chat/completions", request, 200, response, seconds=1.9)


def conversation(claim: str, prompt: str, calls: list[dict[str, Any]], final: str) -> Iterator[Exchanged]:
    """The exchanges in which the calls are made one after the other."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": prompt}]
    for call in calls:
        function = {"name": call["name"], "arguments": json.dumps(call["arguments"])}
        made = {"content": "我来调用函数。", "tool_calls": [{"id": "call-1", "type": "function", "function": function}]}
        yield chat(claim, messages, made, tools=OFFERED)
        result = {"role": "tool", "content": str(call["result"]), "tool_call_id": "call-1"}
        messages = [*messages, {"role": "assistant", **made}, result]
    yield chat(claim, messages, {"content": final}, tools=OFFERED)


def vram(t: float) -> float:
    """A plausible course of memory over a run of 78 s, MiB."""
    points = [(0, 412), (3, 412), (4, 3_900), (14, 4_300), (15, 412), (19, 900), (24, 2_610), (28, 2_700),
              (29, 11_870), (34, 12_612), (44, 12_612), (52, 12_744), (69, 12_744), (71, 640), (78, 415)]  # fmt: skip
    (t0, mib0), (t1, mib1) = next(pair for pair in pairwise(points) if t <= pair[1][0])
    return round(mib0 + (mib1 - mib0) * (t - t0) / (t1 - t0) + 6 * math.sin(7 * t), 1)


def events(
    checkpoint: CheckpointIdentified = REAL, rehearsal: bool = False, limit_peak: float = 13_803.0
) -> list[tuple[float, Event]]:
    """A run in which everything passed, with the second at which each event happened."""
    happened: list[tuple[float, Event]] = [
        (0.0, RunStarted(
            run_id="20261122T164745Z-3fa1",
            argv=["pytest", "-m", "gpu", "--checkpoint", "internlm2_5-1_8b-chat"],
            settings={"checkpoint": checkpoint.name, "quant_policy": 4, "call_tries": 5, "rehearse": rehearsal},
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
            findings=[], layers=LAYERS, source_bytes=checkpoint.bytes,
            predicted_bytes=int(checkpoint.bytes * 0.425), found_bytes=int(checkpoint.bytes * 0.425), seconds=7.4)),
        (16.2, ServerLaunched(argv=SERVE_ARGV, url="http://127.0.0.1:23333")),
        *([] if rehearsal else [(35.0, EngineSeen("turbomind", "turbomind"))]),
        (35.0, ServerReady(seconds=18.8, models=["internlm2_5-1_8b-chat"])),
        (72.5, ServerStopped(exit_code=0, seconds=3.2)),
    ]  # fmt: skip
    if not rehearsal:
        happened += _memory(limit_peak)
    messages = [{"role": "system", "content": SYSTEM_PROMPT}, {"role": "user", "content": STORY_PROMPT}]
    happened.append((49.5, chat("chat.replies_in_chinese", messages, {"content": STORY})))
    happened += _tries()
    for number, claim in enumerate(CLAIMS):
        t = 36 + number * 2.5
        if rehearsal and declared(claim).needs_gpu:
            happened += [(t, TestFinished(node(claim), claim, "setup", "skipped", 0.0, "no GPU"))]
            happened += [(t, TestFinished(node(claim), claim, "teardown", "passed", 0.0))]
            continue
        if claim == "vram.peak":
            happened.append((t, Measured(claim, "vram_peak", 12_744, "MiB", "<=", 13_803)))
        elif not claim.startswith("tools."):
            happened.append((t, Measured(claim, "status", 1)))
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


def _tries() -> Iterator[tuple[float, Event]]:
    add = {"name": "add", "arguments": {"a": 3, "b": 5}, "result": 8}
    multiply = {"name": "mul", "arguments": {"a": 8, "b": 2}, "result": 16}
    for at, claim, prompt, calls, final in (
        (58.0, "tools.add", ADD_PROMPT, [add], "3+5=8"),
        (60.5, "tools.multiply", MULTIPLY_PROMPT, [multiply], "8*2=16"),
        (63.5, "tools.chain", CHAIN_PROMPT, [add, multiply], "(3+5)*2 的结果是 16。"),
    ):
        yield from ((at, exchange) for exchange in conversation(claim, prompt, calls, final))
        right = TryJudged(claim, 1, True, "", calls, final)
        if claim == "tools.chain":
            yield at, replace(right, right=False, reason="no tool call in the first answer", calls=[])
            right = replace(right, number=2)
        yield at + 0.1, right


def finished(claim: str, outcome: str = "passed", cause: Any = "") -> list[TestFinished]:
    """The phases of a claim's test, of which the call came out as said."""
    phases = [TestFinished(node(claim), claim, when, "passed", 0.1) for when in ("setup", "call", "teardown")]
    return [replace(one, outcome=outcome, cause=cause) if one.when == "call" else one for one in phases]


def alone(suite: Suite) -> list[tuple[float, Event]]:
    """A run that judged one suite alone: each claim measured 1 and passed, and nothing proves it."""
    claims = [claim.id for claim in of_suite(suite.id)]
    happened: list[Event] = [
        RunStarted("20261122T190000Z-1add", ["pytest", "-m", suite.mark], {}, {}, "", False, suite=suite.id),
        ClaimsSelected(claims, [], len(claims)),
        STANDIN,
    ]
    for claim in claims:
        happened += [Measured(claim, "status", 1), *finished(claim)]
    happened.append(RunFinished(0, len(claims)))
    return [(float(second), event) for second, event in enumerate(happened)]


def changed(change: Callable[[Event], Event | None]) -> list[Entry]:
    """The run in which everything passed, each event as the function returns it; None leaves it out."""
    return entries([(t, other) for t, event in events() if (other := change(event)) is not None])


def failing(claim: str, cause: Any = "", outcome: str = "failed") -> list[Entry]:
    """The same, but each test whose claim begins so came out otherwise."""
    return changed(
        lambda event: (
            replace(event, outcome=outcome, cause=cause)
            if isinstance(event, TestFinished) and event.claim.startswith(claim) and event.when == "call"
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
