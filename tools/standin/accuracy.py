"""Measure how many held-out arithmetic problems a running server solves with tools, and keep the figures as a record.

Every call must have the right name and exactly the right integers; the final sentence must contain the result.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, Final

from fixtures.ask.conversation import converse
from fixtures.client.client import Client
from fixtures.client.tools import TOOLS
from fixtures.errors import AcceptanceError
from fixtures.homework import Sampling
from fixtures.judge.tool_calls import Expected, conversation_fault
from fixtures.server.external_server import ExternalServer
from tools.records import RECORDS, head_now, read, write
from tools.standin.problemset import TASKS, Problem, problem_set

SAMPLINGS: Final = (Sampling(temperature=0.0, top_p=0.8), Sampling(temperature=0.8, top_p=0.8))
TIMEOUT_S: Final = 60.0
"""For a request; an answer takes well under one."""
CONCURRENCY: Final = 16


def fault(client: Client, sampling: Sampling, problem: Problem) -> str:
    """Work through a problem; what went wrong, or an empty text."""
    tools = [tool for tool in TOOLS if tool["function"]["name"] in problem.offered]
    expected = Expected(tuple((call.name, call.a, call.b) for call in problem.calls), problem.result)
    try:
        found = conversation_fault(converse(client, problem.question, sampling, "tool", tools), expected)
    except AcceptanceError as error:
        return str(error)
    return str(found) if found else ""


def updated(rows: Sequence[dict[str, Any]], fresh: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows, with the new ones in place of those of the same name, sampling and task."""
    return list({(row["served"], row["task"], row["temperature"]): row for row in (*rows, *fresh)}.values())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.standin.accuracy", description=__doc__)
    parser.add_argument("--base-url", default="http://127.0.0.1:23333/v1")
    parser.add_argument("--served", required=True, help='how the model is served, such as "w4a16+int4kv"')
    parser.add_argument("--out", type=Path, default=RECORDS / "standin-accuracy.json")
    parser.add_argument("--n", type=int, default=100, help="problems per task and sampling")
    given = parser.parse_args()
    client = Client(ExternalServer(given.base_url, "none"), TIMEOUT_S, lambda _: None)
    rows = []
    for task, sampling in product(TASKS, SAMPLINGS):
        with ThreadPoolExecutor(CONCURRENCY) as pool:
            faults = list(pool.map(partial(fault, client, sampling), problem_set(task, given.n)))
        row = {"served": given.served, "task": task, "temperature": sampling.temperature, "top_p": sampling.top_p}
        rows.append({**row, "k": faults.count(""), "n": given.n})
        print(rows[-1], *filter(None, faults), sep="\n  ", flush=True)
    command = ["python", "-m", "tools.standin.accuracy", "--base-url", given.base_url]
    command += ["--served", given.served, "--n", str(given.n)]
    kept = updated(read(given.out).get("rows", []), rows)
    write(given.out, {**head_now(shlex.join(command)), "rows": kept})


if __name__ == "__main__":
    main()
