"""Connections are cut under whoever waits for an answer, on both ends."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from fixtures.client.connections import Connections

WAIT_S = 10.0
"""For what takes milliseconds."""


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """A server that takes a request, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(WAIT_S)
        yield server


def http(connections: Connections) -> Any:
    import openai  # a second to import: too long for whoever only collects

    return openai.DefaultHttpxClient(
        trust_env=False, verify=False, timeout=3 * WAIT_S, event_hooks={"request": [connections.watch]}
    )


def test_both_ends_hear_that_a_connection_was_cut(listening: socket.socket) -> None:
    connections, failures = Connections(), []
    with http(connections) as client:

        def ask() -> None:
            try:
                client.get(f"http://127.0.0.1:{listening.getsockname()[1]}/")
            except Exception as error:
                failures.append(type(error).__name__)

        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        accepted, _ = listening.accept()
        with accepted:
            accepted.settimeout(WAIT_S)
            assert accepted.recv(1 << 16)
            connections.cut_all()
            assert accepted.recv(1) == b""
        asking.join(WAIT_S)
        assert not asking.is_alive()
    assert failures == ["RemoteProtocolError"]


def test_one_that_comes_too_late_is_cut_too(listening: socket.socket) -> None:
    connections = Connections()
    connections.cut_all()
    with http(connections) as client, pytest.raises(Exception, match=r"Broken pipe|disconnected"):
        client.get(f"http://127.0.0.1:{listening.getsockname()[1]}/")


def test_one_that_was_closed_is_no_matter(listening: socket.socket) -> None:
    connections = Connections()
    with http(connections) as client:

        def answer() -> None:
            accepted, _ = listening.accept()
            with accepted:
                accepted.recv(1 << 16)
                accepted.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")

        answering = threading.Thread(target=answer, daemon=True)
        answering.start()
        assert client.get(f"http://127.0.0.1:{listening.getsockname()[1]}/").status_code == 204
        answering.join(WAIT_S)
    connections.cut_all()
