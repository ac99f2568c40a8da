"""Serve HTTP from a thread of the test."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeVar

Listening = TypeVar("Listening", bound=ThreadingHTTPServer)


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
