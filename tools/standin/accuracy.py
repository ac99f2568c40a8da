"""Measure how many held-out arithmetic problems a running server solves with tools, and keep the figures as a record.

Every call must have the right name and exactly the right integers, in the right order; the final sentence must contain
the result. Calls are carried out here, without eval.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fixtures.client.tools import TOOLS, Call
from fixtures.errors import GpuError
from fixtures.gpu.probe import open_probe
from fixtures.judge.final_answer import named
from fixtures.judge.tool_calls import read_call
from fixtures.session.environment import versions
from tools.standin.problemset import TASKS, Problem, problem_set

if TYPE_CHECKING:
    import openai

RECORD = Path("docs/records/standin-accuracy.json")
SAMPLINGS = ({"temperature": 0.0, "top_p": 0.8}, {"temperature": 0.8, "top_p": 0.8})
TIMEOUT = 60.0
"""Seconds per request; an answer takes well under one."""
MAX_TOKENS = 256
CONCURRENCY = 16
Message = dict[str, Any]


class Wrong(Exception):
    """The model's answer is not the right one; the text says how."""


def right_call(tool_calls: Sequence[dict[str, Any]], problem: Problem, step: int) -> Call:
    """The message's only call, which must be the problem's call of this step.

    :raises Wrong: it is not.
    """
    if len(tool_calls) != 1:
        raise Wrong(f"step {step + 1}: {len(tool_calls)} calls")
    call, wanted = read_call(tool_calls[0]), problem.calls[step]
    if not isinstance(call, Call):
        raise Wrong(f"step {step + 1}: {call}")
    if call.name != wanted.name or call.arguments != wanted.arguments():
        raise Wrong(f"step {step + 1}: {call.name}({call.arguments}), wanted {wanted}")
    return call


def play(
    client: openai.OpenAI, model: str, problem: Problem, sampling: dict[str, float]
) -> tuple[str | None, list[Message]]:
    """Work through a problem. What went wrong (None: nothing), and the transcript."""
    import openai  # a second to import: too long for tests that are only collected

    tools = [tool for tool in TOOLS if tool["function"]["name"] in problem.offered]
    messages: list[Message] = [{"role": "user", "content": problem.question}]

    def answer() -> Any:
        request: Any = {"model": model, "messages": messages, "tools": tools, "max_tokens": MAX_TOKENS, **sampling}
        choice = client.chat.completions.create(**request).choices[0]
        messages.append({**choice.message.model_dump(exclude_none=True), "content": choice.message.content or ""})
        return choice

    try:
        for step in range(len(problem.calls)):
            choice = answer()
            call = right_call([found.model_dump() for found in choice.message.tool_calls or []], problem, step)
            if choice.finish_reason != "tool_calls":
                raise Wrong(f"step {step + 1}: finish_reason {choice.finish_reason!r}")
            messages.append({"role": "tool", "tool_call_id": call.id, "content": call.equation})
        choice = answer()
        told = named(str(problem.result), choice.message.content or "")
        if choice.message.tool_calls or choice.finish_reason != "stop" or not told:
            raise Wrong(f"final answer {choice.message.content!r} ({choice.finish_reason}), wanted {problem.result}")
    except (Wrong, openai.OpenAIError) as reason:
        return f"{type(reason).__name__}: {reason}", messages
    return None, messages


def measure(
    client: openai.OpenAI, task: str, count: int, sampling: dict[str, float]
) -> tuple[int, list[dict[str, Any]]]:
    """How many of the task's problems come out right, and the failures with their transcripts."""
    model = client.models.list().data[0].id
    chosen = problem_set(task, count)
    with ThreadPoolExecutor(CONCURRENCY) as pool:
        outcomes = list(pool.map(lambda problem: play(client, model, problem, sampling), chosen))
    failures = [
        {"task": task, **sampling, "reason": reason, "messages": messages} for reason, messages in outcomes if reason
    ]
    return count - len(failures), failures


def gpu() -> dict[str, str] | None:
    """Name and driver of the GPU that a server here would use; None where there is none."""
    try:
        with open_probe(os.environ, command=None, pattern="", total_gib=None) as probe:
            return {"name": probe.name, "driver": probe.driver}
    except GpuError:
        return None


def updated(record: dict[str, Any], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The record's rows with the new ones in place of those of the same name, sampling and task."""

    def key(row: dict[str, Any]) -> tuple[Any, ...]:
        return row["served"], row["task"], row["temperature"]

    fresh = {key(row) for row in rows}
    return [row for row in record.get("rows", []) if key(row) not in fresh] + rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base-url", default="http://127.0.0.1:23333/v1")
    parser.add_argument("--served", required=True, help='how the model is served, such as "w4a16+int4kv"')
    parser.add_argument("--out", type=Path, default=RECORD)
    parser.add_argument("--n", type=int, default=100, help="problems per task and sampling")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--failures", type=Path, help="write the transcripts of failures here, as JSON lines")
    arguments = parser.parse_args()

    import openai

    client = openai.OpenAI(base_url=arguments.base_url, api_key="none", max_retries=0, timeout=TIMEOUT)
    rows, failures = [], []
    for task in arguments.tasks:
        for sampling in SAMPLINGS:
            right, wrong = measure(client, task, arguments.n, sampling)
            rows.append({"served": arguments.served, "task": task, **sampling, "k": right, "n": arguments.n})
            failures += wrong
            print(f"{arguments.served} {task} T={sampling['temperature']}: {right} of {arguments.n}", flush=True)

    record = json.loads(arguments.out.read_text(encoding="utf-8")) if arguments.out.exists() else {}
    command = ["python", "-m", "tools.standin.accuracy", "--base-url", arguments.base_url]
    command += ["--served", arguments.served, "--n", str(arguments.n), "--out", RECORD.as_posix()]
    content = {
        "command": shlex.join(command),
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "versions": {**versions(), "python": platform.python_version()},
        "gpu": gpu(),
        "rows": updated(record, rows),
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    if arguments.failures:
        lines = (json.dumps(failure, ensure_ascii=False) + "\n" for failure in failures)
        arguments.failures.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
