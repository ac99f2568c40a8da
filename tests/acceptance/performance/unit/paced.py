"""A server whose latencies are known: `python -m tests.acceptance.performance.unit.paced '{"first_ms": 50}'`.

It answers every streamed chat request with as many pieces as it may have tokens: the first after `first_ms`, each
further one `gap_ms` later; at most `slots` at a time, others wait. Every `refuse_every`-th request is refused; with
`role`, the role comes ahead of the text, as vLLM sends it. It prints its port. Asked for /said, it tells what its own
clock says of its answers: the least milliseconds to a first piece, the median from the first to the last, how many.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from statistics import median
from types import SimpleNamespace

from aiohttp import web

USUAL = {"first_ms": 50.0, "gap_ms": 10.0, "slots": 1000, "refuse_every": 0, "role": False}


def line(delta: dict[str, str], finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


class Paced:
    """The server's state: what it was asked for and when it answered."""

    def __init__(self, given: SimpleNamespace) -> None:
        self._given = given
        self._slots = asyncio.Semaphore(given.slots)
        self._numbers = itertools.count(1)
        self._firsts: list[float] = []
        self._lengths: list[float] = []

    async def said(self, _: web.Request) -> web.Response:
        found = {"first_ms": 1000 * min(self._firsts), "length_ms": 1000 * median(self._lengths)}
        return web.json_response({**found, "answers": len(self._firsts)})

    async def chat(self, request: web.Request) -> web.StreamResponse:
        came, body = time.perf_counter(), await request.json()
        if self._given.refuse_every and next(self._numbers) % self._given.refuse_every == 0:
            return web.json_response({"error": "no room"}, status=503)
        response = web.StreamResponse()
        async with self._slots:
            await response.prepare(request)
            await self._stream(response, body["max_tokens"], came)
            ending = {"choices": [], "usage": {"completion_tokens": body["max_tokens"]}}
            await response.write(line({"content": ""}, "length") + b"data: " + json.dumps(ending).encode() + b"\n\n")
        return response

    async def _stream(self, response: web.StreamResponse, pieces: int, came: float) -> None:
        if self._given.role:
            await response.write(line({"role": "assistant", "content": ""}))
        due = time.perf_counter() + self._given.first_ms / 1000
        began = 0.0
        for _ in range(pieces):
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            await response.write(line({"content": "x"}))
            now = time.perf_counter()
            began = began or now
            due = now + self._given.gap_ms / 1000
        self._firsts.append(began - came)
        self._lengths.append(time.perf_counter() - began)


async def main() -> None:
    paced, app = Paced(SimpleNamespace(**USUAL | json.loads(sys.argv[1]))), web.Application()
    app.add_routes([web.get("/said", paced.said), web.post("/v1/chat/completions", paced.chat)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
