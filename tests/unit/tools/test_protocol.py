"""Recorded answers: asked over real HTTP, reduced to their shape, compared by path."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from tests.unit.serving import port_of
from tools.protocol.recording import CASES, Case, ask
from tools.protocol.shape import differences, shape

CHUNK = {"object": "chat.completion.chunk", "choices": [{"delta": {"content": "狐"}, "finish_reason": None}]}


class Answers(BaseHTTPRequestHandler):
    """JSON to a GET; a stream of three chunks to a POST."""

    def do_GET(self) -> None:
        self._send(200, "application/json; charset=utf-8", json.dumps({"object": "list", "data": []}))

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        chunks = [json.dumps(CHUNK, ensure_ascii=False)] * 2 + ["[DONE]"]
        self._send(200, "text/event-stream", "".join(f"data: {chunk}\n\n" for chunk in chunks))

    def _send(self, status: int, content_type: str, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def port() -> Iterator[int]:
    with port_of(Answers) as found:
        yield found


def test_answer_is_kept_as_json_and_a_stream_chunk_by_chunk(port: int) -> None:
    answer = ask("127.0.0.1", port, Case("models", "/v1/models"))
    assert (answer.status, answer.content_type) == (200, "application/json")
    assert answer.body == {"object": "list", "data": []}
    assert ask("127.0.0.1", port, Case("streamed", "/", {"stream": True})).body == [CHUNK, CHUNK, "[DONE]"]
    kept = ask("127.0.0.1", port, Case("long", "/", {"content": "狐" * 1000})).request
    assert kept["content"].endswith("(1000 characters)")


def test_what_was_asked_is_read_from_the_recording() -> None:
    asked = {case.name: case.body for case in CASES}
    assert asked["health"] is None
    assert asked["not JSON"] == "{"
    assert len(asked["over-long input"]["messages"][0]["content"]) == 600_000


def test_shape_has_keys_and_types_without_values_or_repetitions() -> None:
    one = {"id": "a", "usage": {"total_tokens": 3}, "choices": [{"finish_reason": "stop"}]}
    other = {"id": "b", "usage": {"total_tokens": 9}, "choices": [{"finish_reason": "stop"}]}
    assert shape(one) == shape(other)
    assert shape([CHUNK, CHUNK, "[DONE]"]) == shape([CHUNK, "[DONE]"])


@pytest.mark.parametrize(
    ("ours", "line"),
    [
        ({"id": "a"}, "$.usage: missing"),
        ({"id": "a", "usage": None, "extra": 1}, "$.extra: not in the recording"),
        ({"id": 7, "usage": None}, "$.id: int, recorded str"),
        ({"id": "a", "usage": [1]}, "$.usage: ['int'], recorded NoneType"),
    ],
)
def test_difference_is_told_by_its_path(ours: object, line: str) -> None:
    assert differences(shape(ours), shape({"id": "a", "usage": None})) == [line]


def test_another_finish_reason_is_a_difference() -> None:
    ours, theirs = ({"choices": [{"finish_reason": reason}]} for reason in ("length", "stop"))
    assert differences(shape(ours), shape(theirs)) == ["$.choices[0].finish_reason: length, recorded stop"]
