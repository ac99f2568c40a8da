"""Serve HTTP from a thread of the test."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

Listening = TypeVar("Listening", bound=ThreadingHTTPServer)


class Answering(BaseHTTPRequestHandler):
    """Reads and answers JSON, and keeps its log to itself. What is sent to which request is its subclasses' affair."""

    def _asked(self) -> Any:
        """Read the request's body."""
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def _send(self, status: int, body: object, headers: Mapping[str, str] | None = None) -> None:
        """Send bytes and texts as they are, and anything else as JSON.

        :param headers: beside the type and the length, or in place of them.
        """
        text = body if isinstance(body, (bytes, str)) else json.dumps(body)
        content = text.encode() if isinstance(text, str) else text
        self.send_response(status)
        usual = {"Content-Type": "application/json", "Content-Length": str(len(content))}
        for name, value in {**usual, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(OSError):  # who asked may have had enough
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def serving(server: Listening) -> Iterator[Listening]:
    """Let a server that listens already answer for the length of a `with` block."""
    with server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


@contextmanager
def port_of(handler: Callable[..., BaseHTTPRequestHandler]) -> Iterator[int]:
    """Answer with a handler on a free port of 127.0.0.1, which this yields."""
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as server:
        yield server.server_port
