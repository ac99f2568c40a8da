"""Questions to a server that may answer anything, or nothing, take a few seconds at most and never raise."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from fixtures.server import readiness
from fixtures.server.readiness import Answer, ask, model_names

Server = Callable[[bytes, bool], int]


@pytest.fixture
def server() -> Iterator[Server]:
    """Starts a socket that answers one request with these bytes, then closes or goes on repeating the last byte."""
    running: list[tuple[threading.Event, threading.Thread]] = []

    def start(content: bytes, endless: bool) -> int:
        listening = socket.create_server(("127.0.0.1", 0))
        done = threading.Event()

        def answer() -> None:
            with listening, listening.accept()[0] as connection:
                connection.recv(65536)
                try:
                    connection.sendall(content)
                    while endless and not done.wait(0.05):
                        connection.sendall(content[-1:])
                except OSError:
                    pass  # the client has had enough

        thread = threading.Thread(target=answer)
        thread.start()
        running.append((done, thread))
        return int(listening.getsockname()[1])

    yield start
    for done, thread in running:
        done.set()
        thread.join()


def test_an_answer(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    port = server(b"HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\nno", False)
    assert ask("127.0.0.1", port, "/health") == Answer(503, b"no")


@pytest.mark.parametrize(
    ("content", "endless", "said"),
    [
        (b"", False, "no answer (RemoteDisconnected"),
        (b"nonsense\r\n", False, "no answer (BadStatusLine"),
        (b"HTTP/1.1 200 OK\r\n\r\nx", True, "an answer that does not end"),
    ],
)
def test_what_is_no_answer(
    server: Server, monkeypatch: pytest.MonkeyPatch, content: bytes, endless: bool, said: str
) -> None:
    monkeypatch.setattr(readiness, "ASK_TIMEOUT", 0.3)
    began = time.monotonic()
    answer = ask("127.0.0.1", server(content, endless), "/health")
    assert answer.status is None
    assert said in str(answer)
    assert time.monotonic() - began < 1.5


def test_nobody_there() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert "ConnectionRefused" in str(ask("127.0.0.1", bound.getsockname()[1], "/health"))


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (b'{"data": [{"id": "a"}, {"id": "b"}]}', ["a", "b"]),
        (b'{"data": []}', []),
        (b'{"data": null}', None),
        (b'["a"]', None),
        (b"<html>", None),
        (b"\xff", None),
    ],
)
def test_model_names(body: bytes, names: list[str] | None) -> None:
    assert model_names(Answer(200, body)) == names
