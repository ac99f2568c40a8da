"""A server whose model writes random words, as a checkpoint of random weights does. Its replies end."""

from __future__ import annotations

import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any

MODEL = "internlm2_5-1_8b-chat"
LENGTH = 100
"""Tokens after which a reply ends; one that never ends is cut here at the latest, to be quick."""


CUT = 16
"""Requests for so few tokens are cut."""


class NoiseServer(ThreadingHTTPServer):
    """Listens on a free port of 127.0.0.1."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Noise)

    @property
    def base_url(self) -> str:
        """As `--base-url` takes it."""
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class _Noise(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._send({"object": "list", "data": [{"id": MODEL, "object": "model"}]})

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        limit = request.get("max_tokens", LENGTH)
        # The same request gets the same words: random weights are deterministic at temperature 0.
        rng = Random(json.dumps({**request, "stream": False, "stream_options": None}, sort_keys=True))
        words = [f" w{rng.randrange(92544)}" for _ in range(min(limit, LENGTH))]
        prompt = len(json.dumps(request["messages"]))
        usage = {"prompt_tokens": prompt, "completion_tokens": len(words), "total_tokens": prompt + len(words)}
        reason = "stop" if limit > LENGTH else "length"
        head = {"id": "1", "object": "chat.completion", "created": int(time.time()), "model": request["model"]}
        if request.get("stream"):
            self._stream(words, reason, usage, {**head, "object": "chat.completion.chunk"})
        else:
            message = {"role": "assistant", "content": "".join(words), "tool_calls": None}
            choice = {"index": 0, "message": message, "finish_reason": reason}
            self._send({**head, "choices": [choice], "usage": usage})

    def _stream(self, words: list[str], reason: str, usage: dict[str, int], head: dict[str, Any]) -> None:
        chunks: list[dict[str, Any]] = [{"choices": [{"index": 0, "delta": {"content": word}}]} for word in words]
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
        chunks.append({"choices": [], "usage": usage})
        events = [*(json.dumps({**head, **chunk}) for chunk in chunks), "[DONE]"]
        self._answer("text/event-stream", "".join(f"data: {event}\n\n" for event in events).encode())

    def _send(self, body: dict[str, Any]) -> None:
        self._answer("application/json", json.dumps(body).encode())

    def _answer(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""
