"""Questions to a server that may answer anything, or nothing, take a few seconds at most and never raise."""

import contextlib
import time

import pytest

from fixtures.process.port import free_port
from fixtures.server import readiness
from fixtures.server.readiness import Answer, ask, model_names
from tests.unit.serving import Answering, port_of


@pytest.mark.parametrize(
    ("content", "endless", "said"),
    [
        (b"", False, "no answer (RemoteDisconnected"),
        (b"nonsense\r\n", False, "no answer (BadStatusLine"),
        (b"HTTP/1.1 200 OK\r\n\r\nx", True, "an answer that does not end"),
    ],
)
def test_missing_answer_is_told_in_time(
    monkeypatch: pytest.MonkeyPatch, content: bytes, endless: bool, said: str
) -> None:
    class Server(Answering):
        def do_GET(self) -> None:
            self.wfile.write(content)
            with contextlib.suppress(OSError):  # the client has had enough
                while endless:
                    self.wfile.write(b"x")
                    time.sleep(0.05)

    monkeypatch.setattr(readiness, "ASK_TIMEOUT", 0.3)
    with port_of(Server) as port:
        began = time.monotonic()
        answer = ask("127.0.0.1", port, "/health")
        assert time.monotonic() - began < 1.5
    assert answer.status is None
    assert said in str(answer.told)


def test_refused_connection_is_told() -> None:
    answer = ask("127.0.0.1", free_port("127.0.0.1"), "/health")
    assert answer.status is None
    assert "ConnectionRefused" in str(answer.told)


@pytest.mark.parametrize(
    ("body", "names"),
    [(b'{"data": [{"id": "a"}, {"id": "b"}]}', ["a", "b"]), (b'{"data": []}', [])]
    + [(body, None) for body in (b'{"data": null}', b'["a"]', b"<html>", b"\xff")],
)
def test_model_names_are_those_of_a_list_or_none(body: bytes, names: list[str] | None) -> None:
    assert model_names(Answer(200, body)) == names
