"""Connections are cut under whoever waits for an answer, on both ends."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
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


@pytest.fixture
def connections() -> Connections:
    return Connections()


@pytest.fixture
def http(connections: Connections) -> Iterator[Any]:
    import openai  # a second to import: too long for whoever only collects

    hooks = {"request": [connections.watch]}
    with openai.DefaultHttpxClient(trust_env=False, verify=False, timeout=3 * WAIT_S, event_hooks=hooks) as client:
        yield client


def test_both_ends_hear_that_a_connection_was_cut(
    connections: Connections, http: Any, listening: socket.socket
) -> None:
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(http.get, f"http://127.0.0.1:{listening.getsockname()[1]}/")
        accepted, _ = listening.accept()
        with accepted:
            accepted.settimeout(WAIT_S)
            assert accepted.recv(1 << 16)
            connections.cut_all()
            assert accepted.recv(1) == b""
        assert type(asking.exception(WAIT_S)).__name__ == "RemoteProtocolError"


def test_connection_that_comes_too_late_is_cut_too(
    connections: Connections, http: Any, listening: socket.socket
) -> None:
    connections.cut_all()
    with pytest.raises(Exception, match=r"Broken pipe|disconnected"):
        http.get(f"http://127.0.0.1:{listening.getsockname()[1]}/")
