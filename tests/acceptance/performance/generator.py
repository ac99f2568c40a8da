"""Send a load and note when each piece of each answer comes. One thread, on asyncio; nothing is parsed meanwhile."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fixtures.ask.load import CHAT, Endpoint, Prompts, chat_body
from fixtures.texts import message
from tests.acceptance.performance.formulas import Timing
from tests.acceptance.performance.workloads import Load

if TYPE_CHECKING:
    import aiohttp

Stamped = list[tuple[float, bytes]]
Raw = tuple[float, float, Stamped, str]
"""When a request was sent and when it ended, the lines of its answer, and its error."""
Ask = Callable[[bytes], Awaitable[Raw]]


@dataclass(frozen=True)
class Sent:
    """What came of a load. `cpu_share` is that of one core which the generator itself took: near 1 it would be late in
    noting what comes. `beside` is what came of the requests that are not timed."""

    timings: tuple[Timing, ...]
    cpu_share: float
    beside: tuple[Raw, ...] = ()


def send(
    endpoint: Endpoint,
    load: Load,
    prompts: Prompts,
    answer_tokens: int,
    timeout_s: float,
    first: int = 0,
    beside: Sequence[bytes] = (),
) -> Sent:
    """Send the load and wait for every answer.

    :param timeout_s: for one answer; one that is later has failed.
    :param first: number of the first prompt; no prompt must be asked twice, or it comes from the prefix cache.
    :param beside: bodies of further requests, no more than the load has, which are sent beside some of its own.
    """
    # Made beforehand: a load that begins must not wait for its own prompts.
    bodies = [request(endpoint, prompts.text(first + number), answer_tokens) for number in range(load.requests)]
    raw, others, share = asyncio.run(_send(endpoint, load, bodies, timeout_s, beside))
    return Sent(tuple(timing(*one) for one in raw), round(share, 4), tuple(others))


def send_alone(endpoint: Endpoint, bodies: Sequence[bytes], timeout_s: float) -> list[Raw]:
    """Send one request after the other."""
    return asyncio.run(_send(endpoint, Load(len(bodies), concurrency=1), bodies, timeout_s))[0]


async def _send(
    endpoint: Endpoint, load: Load, bodies: Sequence[bytes], timeout_s: float, beside: Sequence[bytes] = ()
) -> tuple[list[Raw], list[Raw], float]:
    import aiohttp  # a third of a second: too long for a run that only collects

    async with aiohttp.ClientSession(
        endpoint.url,
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=timeout_s),
        headers=endpoint.headers(),
        trust_env=False,
    ) as session:
        numbers, waiting, others = itertools.count(1), iter(beside), list[Awaitable[Raw]]()
        every = len(bodies) // max(1, len(beside))

        async def ask(body: bytes) -> Raw:
            if next(numbers) % every == 0 and (other := next(waiting, None)):
                others.append(asyncio.ensure_future(_ask(session, other)))  # sent when the timed one is on its way
            return await _ask(session, body)

        began, cpu = time.perf_counter(), time.thread_time()
        raw = await (_at_a_rate if load.concurrency is None else _at_a_time)(ask, load, bodies)
        share = (time.thread_time() - cpu) / (time.perf_counter() - began)
        return raw, await asyncio.gather(*others), share


async def _at_a_time(ask: Ask, load: Load, bodies: Sequence[bytes]) -> list[Raw]:
    waiting = iter(bodies)

    async def user() -> list[Raw]:
        return [await ask(body) for body in waiting]

    answered = await asyncio.gather(*(user() for _ in range(load.concurrency or 1)))
    return sorted(itertools.chain.from_iterable(answered))


async def _at_a_rate(ask: Ask, load: Load, bodies: Sequence[bytes]) -> list[Raw]:
    began = time.perf_counter()

    async def later(body: bytes, at: float) -> Raw:
        await asyncio.sleep(max(0.0, began + at - time.perf_counter()))
        return await ask(body)

    return await asyncio.gather(*(later(body, at) for body, at in zip(bodies, load.times(), strict=True)))


async def _ask(session: aiohttp.ClientSession, body: bytes) -> Raw:
    import aiohttp

    stamped: Stamped = []
    error = ""
    sent = time.perf_counter()
    try:
        async with session.post(CHAT, data=body) as response:
            if response.status != 200:
                error = f"HTTP {response.status}: {(await response.content.read(500)).decode(errors='replace')}"
            else:
                async for line in response.content:
                    stamped.append((time.perf_counter(), line))
    except (aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError) as failure:
        error = f"{type(failure).__name__}: {failure}"
    return sent, time.perf_counter(), stamped, error


def request(endpoint: Endpoint, text: str, answer_tokens: int) -> bytes:
    """Make a streamed request whose answer has exactly so many tokens, whatever the model would say, and shows all.

    A model that has nothing more to say may repeat its end of sequence to the last token.
    """
    every_token = {"ignore_eos": True, "skip_special_tokens": False}
    streamed = {"stream": True, "stream_options": {"include_usage": True}}
    return json.dumps({**chat_body(endpoint, text, answer_tokens), **every_token, **streamed}).encode()


def timing(sent: float, ended: float, stamped: Stamped, error: str) -> Timing:
    """Turn the lines of a stream into a timing. Only text counts as a piece: some servers send the role ahead of it."""
    pieces: list[float] = []
    tokens, finished = 0, False
    for at, line in stamped:
        if not line.startswith(b"data: {"):
            continue
        try:
            chunk = json.loads(line[6:])
        except ValueError:
            return Timing(sent, tuple(pieces), ended, tokens, message("performance.no_json", line=repr(line[:80])))
        for choice in chunk.get("choices") or []:
            if (choice.get("delta") or {}).get("content"):
                pieces.append(at)
            finished |= bool(choice.get("finish_reason"))
        tokens = (chunk.get("usage") or {}).get("completion_tokens") or tokens
    fault = None if finished else message("performance.no_finish_reason")
    if finished and not pieces:
        fault = message("performance.no_text")
    return Timing(sent, tuple(pieces), ended, tokens or len(pieces), error or fault or "")
