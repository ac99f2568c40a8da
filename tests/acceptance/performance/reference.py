"""lmdeploy's own protocol for its api_server, in this project's words: for comparison with the generator on one server.

`benchmark/profile_restful_api.py` of its repository is in no wheel. What it does: a thread for each of so many users
takes requests from a queue, streams each with `ignore_eos` and notes the time of every chunk. First-token latency is
the mean from sending to the first chunk; throughput is completion tokens, and requests, over the time from the start to
the last thread's end. Program: reads its task as JSON, since threads of another program would disturb its own.
"""

from __future__ import annotations

import http.client
import json
import queue
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Final

from fixtures.ask.load import Endpoint, Prompts
from fixtures.errors import RequestError
from tests.acceptance.performance.generator import request

TIMEOUT_S: Final = 300.0
"""For the whole comparison load; it takes seconds."""


@dataclass(frozen=True)
class Profile:
    """What lmdeploy's protocol reports, in its terms: seconds, tokens a second, requests a second."""

    first_token_latency: float
    token_throughput: float
    rps: float


def profile(
    endpoint: Endpoint, prompts: Prompts, requests: int, concurrency: int, answer_tokens: int, first: int
) -> Profile:
    """Run the protocol in a process of its own.

    :raises RequestError: a request failed.
    """
    task = {
        **{"host": endpoint.host, "port": endpoint.port, "key": endpoint.api_key, "concurrency": concurrency},
        "bodies": [
            request(endpoint, prompts.text(first + number), answer_tokens).decode() for number in range(requests)
        ],
        "answer_tokens": answer_tokens,
    }
    done = subprocess.run(
        [sys.executable, "-m", __name__],
        input=json.dumps(task),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        raise RequestError(
            "lmdeploy's protocol found a request that failed",
            where=f"{endpoint.host}:{endpoint.port}",
            remedy="read the server's log",
            detail=done.stderr[-1000:],
        )
    return Profile(**json.loads(done.stdout))


def run(host: str, port: int, key: str, concurrency: int, bodies: list[str], answer_tokens: int) -> Profile:
    """The protocol itself."""
    waiting: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    for body in [*bodies, *[None] * concurrency]:
        waiting.put(body)
    latencies: list[float] = []
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}

    def user() -> None:
        while (body := waiting.get()) is not None:
            latencies.append(_first_chunk(host, port, headers, body))

    threads = [threading.Thread(target=user) for _ in range(concurrency)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - began
    if len(latencies) != len(bodies):
        raise RuntimeError(f"{len(bodies) - len(latencies)} of {len(bodies)} requests failed")
    return Profile(fmean(latencies), answer_tokens * len(bodies) / elapsed, len(bodies) / elapsed)


def _first_chunk(host: str, port: int, headers: dict[str, str], body: str) -> float:
    """Seconds to the first chunk of an answer that is read to its end."""
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    first = None
    try:
        began = time.perf_counter()
        connection.request("POST", "/v1/chat/completions", body.encode(), headers)
        response = connection.getresponse()
        if response.status != 200:
            raise RuntimeError(f"HTTP {response.status}")
        while line := response.readline():
            if first is None and line.startswith(b"data: {"):
                first = time.perf_counter() - began
    finally:
        connection.close()
    if first is None:
        raise RuntimeError("an answer without a chunk")
    return first


if __name__ == "__main__":
    given = json.load(sys.stdin)
    sys.stdout.write(json.dumps(asdict(run(**given))))
