"""Who listens where: addresses, wildcards and both IP versions."""

import contextlib
import errno
import os
import socket

import psutil
import pytest

from fixtures.process.port import UNKNOWN, bind_error, free_port, listener, listeners, owner, reachable_at

ME = os.getpid()


@pytest.mark.parametrize(
    ("bound", "asked", "found"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "0.0.0.0", True),
        ("0.0.0.0", "127.0.0.1", True),
        ("127.0.0.1", "localhost", True),
        ("127.0.0.2", "127.0.0.1", False),
    ],
)
def test_listeners_are_those_that_a_client_would_meet(bound: str, asked: str, found: bool) -> None:
    with socket.create_server((bound, 0)) as server:
        port = server.getsockname()[1]
        assert listeners(asked, port) == ({ME} if found else set())
        assert listener(asked, port, [1, ME]) == (ME if found else None)
        assert listener(asked, port, [1]) is None


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")
def test_ipv6_wildcard_takes_ipv4_clients() -> None:
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        port = server.getsockname()[1]
        assert listeners("127.0.0.1", port) == listeners("::1", port) == {ME}


def test_listener_whose_queue_is_full_is_found_all_the_same() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, contextlib.ExitStack() as stack:
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        assert listeners("127.0.0.1", server.getsockname()[1]) == {ME}


def test_connection_is_not_a_listener() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert listeners("127.0.0.1", client.getsockname()[1]) == set()


def test_owner_is_named_with_its_command() -> None:
    assert str(owner({ME})).startswith(f"process {ME}: {psutil.Process().cmdline()[0]}")
    assert owner({UNKNOWN}).id == "process.foreign"


def test_port_that_is_taken_cannot_be_bound() -> None:
    port = free_port("127.0.0.1")
    assert bind_error("127.0.0.1", port) is None
    with socket.create_server(("127.0.0.1", port)):
        error = bind_error("127.0.0.1", port)
    assert error is not None
    assert error.errno == errno.EADDRINUSE


@pytest.mark.parametrize(("host", "reached"), [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("127.0.0.1", "127.0.0.1")])
def test_wildcard_address_is_reached_on_loopback(host: str, reached: str) -> None:
    assert reachable_at(host) == reached
