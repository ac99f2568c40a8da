"""Servers of chat completions: one answers as the first message asks (`status 500`, `hang`), one in random words."""

import contextlib
import gzip
import json
import time
import zlib
from collections.abc import Callable, Iterable
from random import Random
from typing import Any

from tests.unit.serving import Answering

MODEL = "internlm2_5-1_8b-chat"
REPLY = {"role": "assistant", "content": "狐狸", "tool_calls": None}
COMPLETION = {
    "id": "1",
    "object": "chat.completion",
    "choices": [{"index": 0, "message": REPLY, "finish_reason": "stop"}],
}

CHUNKS = [
    {"id": "1", "object": "chat.completion.chunk", **parts}
    for parts in (
        {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "狐"}}]},
        {"choices": [{"index": 0, "delta": {"content": "狸"}}]},
        {"choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "stop"}]},
        {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}},
    )
]


def events(chunks: Iterable[object]) -> str:
    """Write them as a stream, which ends as OpenAI's does."""
    return "".join(f"data: {event}\n\n" for event in [*map(json.dumps, chunks), "[DONE]"])


STREAM = events(CHUNKS)
STREAMED = {"Content-Type": "text/event-stream"}


def _bomb() -> bytes:
    pack = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    return b"".join(pack.compress(b" " * 2**20) for _ in range(200)) + pack.flush()


BODIES: dict[str, Callable[[], object]] = {
    "no json": lambda: "<html>proxy</html>",
    "no choices": lambda: COMPLETION | {"choices": []},
    "flood": lambda: " " * (9 * 2**20),
    "deep": lambda: "[" * 100_000,
    "nested": lambda: '{"choices": ' + "[" * 100 + "]" * 100 + "}",
    "digits": lambda: '{"choices": ' + "9" * 5000 + "}",
    "NaN": lambda: '{"choices": NaN}',
    "1e999": lambda: '{"choices": 1e999}',
    "surrogate": lambda: json.dumps(COMPLETION).replace("\\u72d0", "\\u72d0\\ud800"),
}
"""Bodies that no server sends, as JSON or what looks like it."""

PACKED: dict[str, tuple[str, Callable[[], bytes]]] = {
    "bomb": ("gzip", _bomb),
    "packed": ("gzip", lambda: gzip.compress(json.dumps(COMPLETION).encode())),
    "not packed": ("gzip", lambda: b"garbage"),
    "zstd": ("zstd", lambda: b"anything"),
}
"""Encodings and bodies."""


class Chat(Answering):
    """GET lists the model, POST misbehaves as told."""

    def do_GET(self) -> None:
        if "/moved" in self.path:
            self._redirect()
        elif "/guarded" in self.path and self.headers["Authorization"] != "Bearer right-key":
            self._send(401, {"message": "no such key"})
        else:
            self._send(200, {"object": "list", "data": [{"id": MODEL, "object": "model"}]})

    def do_POST(self) -> None:
        request = self._asked()
        wish = request["messages"][0]["content"]
        if wish == "hang":
            time.sleep(30)
        elif wish == "cut":
            self._send(200, '{"id":', headers={"Content-Length": "1000"})
        elif wish.endswith("drip"):
            self._drip(wish)
        elif wish in BODIES:
            self._send(200, BODIES[wish]())
        elif wish in PACKED:
            encoding, made = PACKED[wish]
            self._send(200, made(), headers={"Content-Encoding": encoding})
        elif wish == "stream cut":
            self._send(200, STREAM[:150], headers={**STREAMED, "Content-Length": str(len(STREAM))})
        elif wish == "stream broken":
            self._send(200, STREAM.replace(json.dumps(CHUNKS[1]), '{"id": '), headers=STREAMED)
        elif wish == "stream":
            self._send(200, STREAM, headers=STREAMED)
        elif wish == "redirect":
            self._redirect()
        elif wish == "echo":
            self._send(200, COMPLETION | {"request": request})
        elif wish.startswith("status "):
            self._send(int(wish.removeprefix("status ")), {"message": "refused"})
        else:
            self._send(200, COMPLETION)

    def _drip(self, wish: str) -> None:
        """Bytes that never end: chunk after chunk, or blanks in place of JSON."""
        streamed = wish.startswith("stream")
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream" if streamed else "application/json")
        self.end_headers()
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(f"data: {json.dumps(CHUNKS[0])}\n\n".encode() if streamed else b" ")
                time.sleep(0.05)

    def _redirect(self) -> None:
        self._send(302, "", {"Location": "http://elsewhere.example/"})


LONGEST = 100
"""Tokens after which random words end by themselves; asked for fewer they are cut."""


class Noise(Chat):
    """Writes random words, as a checkpoint of random weights does. Its replies end."""

    def do_POST(self) -> None:
        request = self._asked()
        limit = request.get("max_tokens", LONGEST)
        # The same request gets the same words: random weights are deterministic at temperature 0.
        rng = Random(json.dumps({**request, "stream": False, "stream_options": None}, sort_keys=True))
        words = [f" w{rng.randrange(92544)}" for _ in range(min(limit, LONGEST))]
        prompt = len(json.dumps(request["messages"]))
        usage = {"prompt_tokens": prompt, "completion_tokens": len(words), "total_tokens": prompt + len(words)}
        reason = "stop" if limit > LONGEST else "length"
        head = {"id": "1", "object": "chat.completion", "created": int(time.time()), "model": request["model"]}
        if request.get("stream"):
            chunks: list[dict[str, Any]] = [{"choices": [{"index": 0, "delta": {"content": word}}]} for word in words]
            chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
            chunks.append({"choices": [], "usage": usage})
            head["object"] = "chat.completion.chunk"
            self._send(200, events({**head, **chunk} for chunk in chunks), headers=STREAMED)
        else:
            choice = {"index": 0, "message": REPLY | {"content": "".join(words)}, "finish_reason": reason}
            self._send(200, {**head, "choices": [choice], "usage": usage})
