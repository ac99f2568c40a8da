"""Who listens where: addresses, wildcards and both IP versions."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import subprocess
from pathlib import Path

import pytest

from fixtures.process.port import bind_error, free_port, listener, listeners, owner, reachable_at, sockets


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
        inodes = listeners(asked, server.getsockname()[1])
        assert bool(inodes) is found
        assert inodes <= sockets([os.getpid()])
        assert sockets([1, os.getpid()]) >= inodes
    assert listeners(asked, server.getsockname()[1] if server.fileno() != -1 else 1) == set()


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")
def test_an_ipv6_wildcard_takes_ipv4_clients() -> None:
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        port = server.getsockname()[1]
        assert listeners("127.0.0.1", port)
        assert listeners("::1", port)


def test_nobody_is_found_without_the_kernels_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are looked at 20 times a second while a server loads, and take milliseconds."""
    monkeypatch.setattr("fixtures.process.port._listening", lambda _: pytest.fail("looked"))
    assert listeners("127.0.0.1", free_port("127.0.0.1")) == set()


def test_one_whose_queue_is_full_is_found_all_the_same() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, contextlib.ExitStack() as stack:
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        assert listeners("127.0.0.1", server.getsockname()[1])


def test_a_connection_is_not_a_listener() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert listeners("127.0.0.1", client.getsockname()[1]) == set()


def test_the_owner_is_named_with_its_command() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        named = owner(listeners("127.0.0.1", server.getsockname()[1]))
    assert named.startswith(f"process {os.getpid()}: ")
    assert Path("/proc/self/cmdline").read_bytes().split(b"\0")[0].decode() in named
    assert owner({0}) == "a process of another user or container"


def test_bind_error() -> None:
    port = free_port("127.0.0.1")
    assert bind_error("127.0.0.1", port) is None
    with socket.create_server(("127.0.0.1", port)):
        error = bind_error("127.0.0.1", port)
    assert error is not None
    assert error.errno == errno.EADDRINUSE


@pytest.mark.parametrize(
    ("host", "reached"), [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("127.0.0.1", "127.0.0.1"), ("::1", "::1")]
)
def test_a_wildcard_address_is_reached_on_loopback(host: str, reached: str) -> None:
    assert reachable_at(host) == reached


def test_only_a_process_that_listens_is_named_among_many() -> None:
    with subprocess.Popen(["sleep", "60"]) as other, socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert listener("127.0.0.1", port, [other.pid, os.getpid()]) == os.getpid()
        assert listener("127.0.0.1", port, [other.pid]) is None
        other.kill()
