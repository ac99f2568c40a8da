"""lmdeploy's own protocol for its api_server, in this project's words: for comparison with the generator on one server.

`benchmark/profile_restful_api.py` of its repository is in no wheel. What it does: a thread for each of so many users
takes requests from a queue, streams each with `ignore_eos` and notes the time of every chunk. First-token latency is
the mean from sending to the first chunk; throughput is completion tokens, and requests, over the time from the start to
the last thread's end. Program: reads its task as JSON, since threads of another program would disturb its own.
"""

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, fields
from functools import partial
from statistics import fmean, median
from typing import Any, Final

from fixtures.ask.load import CHAT, Endpoint, Prompts
from fixtures.errors import RequestError
from tests.acceptance.performance.formulas import figures
from tests.acceptance.performance.generator import request, send
from tests.acceptance.performance.workloads import Load

TIMEOUT_S: Final = 300.0
"""For the whole comparison load; it takes seconds."""


@dataclass(frozen=True)
class Profile:
    """The figures that lmdeploy's protocol reports, in its terms: seconds, tokens a second, requests a second."""

    first_token_latency: float
    token_throughput: float
    rps: float


def agreement(ours: Sequence[Profile], theirs: Sequence[Profile]) -> dict[str, Any]:
    """Compare the medians of the rounds: the generator's first, lmdeploy's second; rounds in seconds and per second.

    `apart` is how far they are from each other, as a share of the larger; of the three figures the farthest.
    """
    medians = [
        [median(getattr(round_, figure.name) for round_ in side) for side in (ours, theirs)]
        for figure in fields(Profile)
    ]
    latency, tokens, requests = medians
    return {
        "ttft_mean_ms": [round(1000 * value, 3) for value in latency],
        "tokens_per_s": [round(value, 2) for value in tokens],
        "requests_per_s": [round(value, 3) for value in requests],
        "apart": round(max(abs(one - other) / max(one, other) for one, other in medians), 4),
        "rounds": [[asdict(one), asdict(other)] for one, other in zip(ours, theirs, strict=True)],
    }


def compare(
    endpoint: Endpoint, load: Load, rounds: int, prompts: Prompts, answer_tokens: int, timeout_s: float, first: int
) -> dict[str, Any]:
    """Put the server under the load by turns; return both generators' figures as :func:`agreement` compares them.

    :param load: users who ask again as soon as they are answered: the one kind that lmdeploy's protocol knows.
    :param timeout_s: for one answer of the generator's.
    :param first: number of the first prompt; every round has its own.
    :raises RequestError: lmdeploy's protocol met a request that failed.
    :raises ValueError: none of the generator's requests was answered whole.
    """
    ours, theirs = [], []
    for number in range(rounds):
        own, other = (first + (2 * number + turn) * load.requests for turn in (0, 1))
        found = figures(send(endpoint, load, prompts, answer_tokens, timeout_s, own).timings)
        ours.append(Profile(found.ttft_ms.mean / 1000, found.tokens_per_s, found.requests_per_s))
        theirs.append(profile(endpoint, load, prompts, answer_tokens, other))
    return agreement(ours, theirs)


def profile(endpoint: Endpoint, load: Load, prompts: Prompts, answer_tokens: int, first: int) -> Profile:
    """Run the protocol in a process of its own.

    :raises RequestError: a request failed.
    """
    numbers = range(first, first + load.requests)
    task = {
        "endpoint": asdict(endpoint),
        "concurrency": load.concurrency,
        "bodies": [request(endpoint, prompts.text(number), answer_tokens).decode() for number in numbers],
        "answer_tokens": answer_tokens,
    }
    program = [sys.executable, "-m", __name__]
    done = subprocess.run(program, input=json.dumps(task), capture_output=True, text=True, timeout=TIMEOUT_S)
    if done.returncode != 0:
        raise RequestError("protocol_request_failed", where=endpoint.where, detail=done.stderr[-1000:])
    return Profile(**json.loads(done.stdout))


def run(endpoint: Endpoint, concurrency: int, bodies: list[str], answer_tokens: int) -> Profile:
    """Follow the protocol. Raises RuntimeError where a request failed."""
    began = time.perf_counter()
    with ThreadPoolExecutor(concurrency) as users:
        latencies = list(users.map(partial(_first_chunk, endpoint), bodies))
    elapsed = time.perf_counter() - began
    return Profile(fmean(latencies), answer_tokens * len(bodies) / elapsed, len(bodies) / elapsed)


def _first_chunk(endpoint: Endpoint, body: str) -> float:
    """Seconds to the first chunk of an answer that is read to its end."""
    headers, first = {**endpoint.headers(), "Connection": "close"}, None
    with closing(http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=TIMEOUT_S)) as connection:
        began = time.perf_counter()
        connection.request("POST", CHAT, body.encode(), headers)
        response = connection.getresponse()
        if response.status != 200:
            raise RuntimeError(f"HTTP {response.status}")
        while line := response.readline():
            if first is None and line.startswith(b"data: {"):
                first = time.perf_counter() - began
    if first is None:
        raise RuntimeError("an answer without a chunk")
    return first


if __name__ == "__main__":
    given = json.load(sys.stdin)
    sys.stdout.write(json.dumps(asdict(run(**{**given, "endpoint": Endpoint(**given["endpoint"])}))))
