"""A server that answers chat completions as the first message asks: `status 500`, `hang`, `cut`, `stream`, ..."""

import contextlib
import gzip
import json
import sys
import time
import zlib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

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


HOSTILE: dict[str, Callable[[], str]] = {
    "flood": lambda: " " * (9 * 2**20),
    "deep": lambda: "[" * 100_000,
    "nested": lambda: '{"choices": ' + "[" * 100 + "]" * 100 + "}",
    "digits": lambda: '{"choices": ' + "9" * 5000 + "}",
    "NaN": lambda: '{"choices": NaN}',
    "1e999": lambda: '{"choices": 1e999}',
    "surrogate": lambda: json.dumps(COMPLETION).replace("\\u72d0", "\\u72d0\\ud800"),
}
"""Bodies that no server sends, as JSON or what looks like it."""


def _bomb() -> bytes:
    pack = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    return b"".join(pack.compress(b" " * 2**20) for _ in range(200)) + pack.flush()


PACKED: dict[str, tuple[str, Callable[[], bytes]]] = {
    "bomb": ("gzip", _bomb),
    "packed": ("gzip", lambda: gzip.compress(json.dumps(COMPLETION).encode())),
    "not packed": ("gzip", lambda: b"garbage"),
    "zstd": ("zstd", lambda: b"anything"),
}
"""Encodings and bodies."""


class Chat(BaseHTTPRequestHandler):
    """GET lists the model, POST misbehaves as told."""

    def do_GET(self) -> None:
        if "/moved" in self.path:
            self._redirect()
            return
        if "/guarded" in self.path and self.headers["Authorization"] != "Bearer right-key":
            self._send(401, json.dumps({"message": "no such key"}))
            return
        self._send(200, json.dumps({"object": "list", "data": [{"id": MODEL, "object": "model"}]}))

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        wish = request["messages"][0]["content"]
        if wish == "hang":
            time.sleep(30)
        elif wish == "cut":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"id":')
        elif wish.endswith("drip"):
            self._drip(wish)
        elif wish == "no json":
            self._send(200, "<html>proxy</html>")
        elif wish in HOSTILE:
            self._send(200, HOSTILE[wish]())
        elif wish in PACKED:
            encoding, made = PACKED[wish]
            self._send_bytes(made(), encoding)
        elif wish == "redirect":
            self._redirect()
        elif wish == "no choices":
            self._send(200, json.dumps(COMPLETION | {"choices": []}))
        elif wish == "echo":
            self._send(200, json.dumps(COMPLETION | {"request": request}))
        elif wish.startswith("stream"):
            self._stream(wish)
        elif wish.startswith("status "):
            self._send(int(wish.removeprefix("status ")), json.dumps({"message": "refused"}))
        else:
            self._send(200, json.dumps(COMPLETION))

    def _stream(self, wish: str) -> None:
        events = [json.dumps(chunk) for chunk in CHUNKS]
        if wish == "stream broken":
            events[1] = '{"id": '
        body = "".join(f"data: {event}\n\n" for event in [*events, "[DONE]"]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:150] if wish == "stream cut" else body)

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
        self.send_response(302)
        self.send_header("Location", "http://elsewhere.example/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send_bytes(self, body: bytes, encoding: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Encoding", encoding)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):  # nobody reads a bomb to its end
            self.wfile.write(body)

    def _send(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Quiet."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Chat).serve_forever()
