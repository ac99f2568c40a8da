"""Questions to a server that may answer anything, or nothing, take a few seconds at most and never raise."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from fixtures.process.port import free_port
from fixtures.server import readiness
from fixtures.server.readiness import Answer, ask, model_names

Server = Callable[[bytes, bool], int]


@pytest.fixture
def server() -> Iterator[Server]:
    """Starts a socket that answers one request with these bytes, then closes or goes on repeating the last byte."""
    done, threads = threading.Event(), []

    def start(content: bytes, endless: bool) -> int:
        listening = socket.create_server(("127.0.0.1", 0))

        def answer() -> None:
            with listening, listening.accept()[0] as connection:
                connection.recv(65536)
                try:
                    connection.sendall(content)
                    while endless and not done.wait(0.05):
                        connection.sendall(content[-1:])
                except OSError:
                    pass  # the client has had enough

        threads.append(threading.Thread(target=answer))
        threads[-1].start()
        return int(listening.getsockname()[1])

    yield start
    done.set()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize(
    ("content", "endless", "said"),
    [
        (b"", False, "no answer (RemoteDisconnected"),
        (b"nonsense\r\n", False, "no answer (BadStatusLine"),
        (b"HTTP/1.1 200 OK\r\n\r\nx", True, "an answer that does not end"),
        (None, False, "no answer (ConnectionRefused"),
    ],
)
def test_missing_answer_is_told_in_time(
    server: Server, monkeypatch: pytest.MonkeyPatch, content: bytes | None, endless: bool, said: str
) -> None:
    monkeypatch.setattr(readiness, "ASK_TIMEOUT", 0.3)
    port = free_port("127.0.0.1") if content is None else server(content, endless)
    began = time.monotonic()
    answer = ask("127.0.0.1", port, "/health")
    assert time.monotonic() - began < 1.5
    assert answer.status is None
    assert said in str(answer.told)


@pytest.mark.parametrize(
    ("body", "names"),
    [(b'{"data": [{"id": "a"}, {"id": "b"}]}', ["a", "b"]), (b'{"data": []}', [])]
    + [(body, None) for body in (b'{"data": null}', b'["a"]', b"<html>", b"\xff")],
)
def test_model_names_are_those_of_a_list_or_none(body: bytes, names: list[str] | None) -> None:
    assert model_names(Answer(200, body)) == names
