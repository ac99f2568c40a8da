"""A server whose latencies are known: `python -m tests.acceptance.performance.paced --first-ms 50 --gap-ms 10 --slots 8`.

It answers every streamed chat request with as many pieces as it may have tokens: the first after `--first-ms`, each
further one `--gap-ms` later; at most `--slots` at a time, others wait. It prints its port. Asked for /said, it tells
what its own clock says of its answers: the least milliseconds to a first piece, the median from the first to the last,
how many there were.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import time
from statistics import median

PIECE = b'data: {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "x"}, "finish_reason": null}]}\n\n'
ROLE = b'data: {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": null}]}\n\n'
END = b'data: {"choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "length"}]}\n\n'


class Paced:
    """The server's state: what it was asked for and when it answered."""

    def __init__(self, first_s: float, gap_s: float, slots: int, refuse_every: int, role: bool) -> None:
        self._first_s, self._gap_s, self._refuse_every, self._role = first_s, gap_s, refuse_every, role
        self._slots = asyncio.Semaphore(slots)
        self._asked = 0
        self.firsts: list[float] = []
        self.lengths: list[float] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, request after request."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(
                    (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
                )
                body = await reader.readexactly(length)
                await self._answer(head.split(b" ", 2)[1], body, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has hung up
        finally:
            writer.close()

    async def _answer(self, path: bytes, body: bytes, writer: asyncio.StreamWriter) -> None:
        came = time.perf_counter()
        if path == b"/said":
            said = {"first_ms": 1000 * min(self.firsts), "length_ms": 1000 * median(self.lengths)}
            _whole(writer, 200, {**said, "answers": len(self.firsts)})
            return
        request = json.loads(body)
        self._asked += 1
        if self._refuse_every and self._asked % self._refuse_every == 0:
            _whole(writer, 503, {"error": "no room"})
            return
        tokens = len(request["messages"][0]["content"]) // 4
        usage = {"prompt_tokens": tokens, "completion_tokens": request["max_tokens"]}
        if not request.get("stream"):
            _whole(writer, 200, {"choices": [{"message": {"content": "x"}}], "usage": usage})
            return
        async with self._slots:
            await self._stream(request["max_tokens"], usage, came, writer)

    async def _stream(self, pieces: int, usage: dict[str, int], came: float, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        if self._role:
            _chunk(writer, ROLE)
        due = time.perf_counter() + self._first_s
        began = 0.0
        for number in range(pieces):
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            _chunk(writer, PIECE)
            await writer.drain()
            now = time.perf_counter()
            if number == 0:
                began = now
                self.firsts.append(now - came)
            due = now + self._gap_s
        self.lengths.append(time.perf_counter() - began)
        _chunk(writer, END)
        _chunk(writer, b"data: " + json.dumps({"choices": [], "usage": usage}).encode() + b"\n\ndata: [DONE]\n\n")
        writer.write(b"0\r\n\r\n")
        await writer.drain()


def _chunk(writer: asyncio.StreamWriter, content: bytes) -> None:
    writer.write(b"%x\r\n%s\r\n" % (len(content), content))


def _whole(writer: asyncio.StreamWriter, status: int, value: object) -> None:
    content = json.dumps(value).encode()
    writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(content), content))


async def _main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.acceptance.performance.paced", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--first-ms", type=float, default=50.0)
    parser.add_argument("--gap-ms", type=float, default=10.0)
    parser.add_argument("--slots", type=int, default=1000)
    parser.add_argument("--refuse-every", type=int, default=0, help="every n-th request is refused")
    parser.add_argument("--role", action="store_true", help="the role comes ahead of the text, as vLLM sends it")
    given = parser.parse_args()
    paced = Paced(given.first_ms / 1000, given.gap_ms / 1000, given.slots, given.refuse_every, given.role)
    server = await asyncio.start_server(paced.serve, "127.0.0.1", 0, backlog=1024)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main())
