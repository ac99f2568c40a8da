"""lmdeploy's scoring routes, from a server that answers what it is told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from fixtures.errors import AcceptanceError, LmdeployError, RequestError
from tests.acceptance.quality.endpoint import ScoringEndpoint


class Answering:
    """A server on this machine; `answers` are status and body by path, `asked` the bodies that came."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Any]] = {}
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                outer.keys.append(self.headers["Authorization"])
                status, body = outer.answers.get(self.path, (404, {"detail": "Not Found"}))
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def answering() -> Iterator[Answering]:
    made = Answering()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def scoring(answering: Answering) -> ScoringEndpoint:
    return ScoringEndpoint(answering.url, 10, "sk-of-this-run")


def test_texts_become_token_ids(answering: Answering, scoring: ScoringEndpoint) -> None:
    answering.answers["/v1/encode"] = (200, {"input_ids": [[1, 5], [1, 6, 7]], "length": [2, 3]})
    assert scoring.encode(["a", "bc"], bos=True) == [[1, 5], [1, 6, 7]]
    assert answering.asked == [{"input": ["a", "bc"], "add_bos": True}]


def test_every_request_carries_the_key(answering: Answering, scoring: ScoringEndpoint) -> None:
    answering.answers["/get_ppl"] = (200, {"ppl": 2.5})
    scoring.loss([1, 5, 6])
    ScoringEndpoint(answering.url, 10).loss([1, 5, 6])
    assert answering.keys == ["Bearer sk-of-this-run", None]


def test_a_loss_is_taken_as_it_is(answering: Answering, scoring: ScoringEndpoint) -> None:
    """lmdeploy names it `ppl` and means nats per token: no exp, no log."""
    answering.answers["/get_ppl"] = (200, {"ppl": 2.5})
    assert scoring.loss([1, 5, 6]) == 2.5
    assert answering.asked == [{"input": [1, 5, 6]}]


def test_the_next_token_is_asked_for_greedily(answering: Answering, scoring: ScoringEndpoint) -> None:
    answering.answers["/generate"] = (200, {"text": "x", "output_ids": [42], "meta_info": {}})
    assert scoring.next_token([1, 5]) == 42
    (asked,) = answering.asked
    assert (asked["input_ids"], asked["max_tokens"], asked["temperature"]) == ([1, 5], 1, 0.0)
    assert asked["ignore_eos"] is True


ASK: dict[str, Callable[[ScoringEndpoint], object]] = {
    "/v1/encode": lambda scoring: scoring.encode(["a"], bos=False),
    "/get_ppl": lambda scoring: scoring.loss([1, 2]),
    "/generate": lambda scoring: scoring.next_token([1, 2]),
}


@pytest.mark.parametrize(
    ("path", "status", "body", "error"),
    [
        ("/get_ppl", 404, {"detail": "Not Found"}, LmdeployError),
        ("/get_ppl", 400, {"message": "input must have at least 2 tokens"}, RequestError),
        ("/get_ppl", 200, {"ppl": None}, RequestError),
        ("/get_ppl", 200, {"ppl": -0.1}, RequestError),
        ("/get_ppl", 200, {"ppl": float("nan")}, RequestError),
        ("/get_ppl", 200, [2.5], RequestError),
        ("/generate", 200, {"output_ids": []}, RequestError),
        ("/generate", 200, {"text": "x"}, RequestError),
        ("/v1/encode", 200, {"input_ids": [[1], [2]]}, RequestError),
    ],
)
def test_what_is_no_answer_is_an_error_that_names_the_route(
    answering: Answering, scoring: ScoringEndpoint, path: str, status: int, body: Any, error: type[AcceptanceError]
) -> None:
    answering.answers[path] = (status, body)
    with pytest.raises(error) as raised:
        ASK[path](scoring)
    assert raised.value.where == f"POST {answering.url}{path}"
    assert raised.value.remedy


def test_no_server_is_an_error() -> None:
    with pytest.raises(RequestError, match="no answer"):
        ScoringEndpoint("http://127.0.0.1:9", 2).loss([1, 2])
