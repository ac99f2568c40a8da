"""lmdeploy's scoring routes, from a server that answers what it is told to."""

from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from typing import Any

import pytest

from fixtures.ask.load import Endpoint
from fixtures.ask.scoring import ScoringEndpoint
from fixtures.errors import AcceptanceError, LmdeployError, RequestError
from tests.unit.serving import Answering, serving


class Handler(Answering):
    """Answers what `answers` of its server say for the path, and notes what came in `asked` and `keys`."""

    server: Any

    def do_POST(self) -> None:
        self.server.asked.append(self._asked())
        self.server.keys.append(self.headers["Authorization"])
        self._send(*self.server.answers.get(self.path, (404, {"detail": "Not Found"})))


@pytest.fixture
def answering() -> Iterator[Any]:
    made: Any = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.answers, made.asked, made.keys = {}, [], []
    with serving(made):
        yield made


@pytest.fixture
def scoring(answering: Any) -> ScoringEndpoint:
    return ScoringEndpoint(Endpoint("127.0.0.1", answering.server_port, "m", "sk-of-this-run"), 10)


def test_answers_are_taken_as_they_are(answering: Any, scoring: ScoringEndpoint) -> None:
    """lmdeploy names a loss `ppl` and means nats per token: no exp, no log. The next token is asked for greedily."""
    answering.answers["/v1/encode"] = (200, {"input_ids": [[1, 5], [1, 6, 7]], "length": [2, 3]})
    answering.answers["/get_ppl"] = (200, {"ppl": 2.5})
    answering.answers["/generate"] = (200, {"text": "x", "output_ids": [42], "meta_info": {}})
    assert scoring.encode(["a", "bc"], bos=True) == [[1, 5], [1, 6, 7]]
    assert scoring.loss([1, 5, 6]) == 2.5
    assert scoring.next_token([1, 5]) == 42
    encode, loss, token = answering.asked
    assert (encode, loss) == ({"input": ["a", "bc"], "add_bos": True}, {"input": [1, 5, 6]})
    assert (token["input_ids"], token["max_tokens"], token["temperature"]) == ([1, 5], 1, 0.0)
    assert token["ignore_eos"] is True
    assert answering.keys == ["Bearer sk-of-this-run"] * 3


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
def test_unusable_answer_is_an_error_that_names_the_route(
    answering: Any, scoring: ScoringEndpoint, path: str, status: int, body: Any, error: type[AcceptanceError]
) -> None:
    answering.answers[path] = (status, body)
    ask = {"/v1/encode": lambda: scoring.encode(["a"], bos=False), "/generate": lambda: scoring.next_token([1, 2])}
    with pytest.raises(error) as raised:
        ask.get(path, lambda: scoring.loss([1, 2]))()
    assert raised.value.where == f"POST 127.0.0.1:{answering.server_port}{path}"


def test_loss_of_a_reply_leaves_out_what_stands_before_it(answering: Any, scoring: ScoringEndpoint) -> None:
    """Each loss is 2.0 on average, so that of the reply is too; the reply is encoded without a beginning."""
    answering.answers = {"/v1/encode": (200, {"input_ids": [[1, 5, 6]]}), "/get_ppl": (200, {"ppl": 2.0})}
    assert scoring.reply_loss("before", "reply") == 2.0
    before, reply, whole, head = answering.asked
    assert (before["add_bos"], reply["add_bos"]) == (True, False)
    assert (whole["input"], head["input"]) == ([1, 5, 6, 1, 5, 6], [1, 5, 6])


def test_no_server_is_an_error() -> None:
    with pytest.raises(RequestError, match="no answer"):
        ScoringEndpoint(Endpoint("127.0.0.1", 9, "m"), 2).loss([1, 2])
