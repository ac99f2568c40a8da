"""The program that compares KV caches on a GPU: what it asks, and what it makes of the answers."""

import json
from http.server import ThreadingHTTPServer
from typing import Any

import pytest

from fixtures.ask.load import Endpoint
from tests.unit.serving import Answering, port_of, serving
from tools.kv_int8 import asked, compared, first_difference, measured
from tools.kv_questions import QUESTIONS, right
from tools.tables import Place
from tools.tables.kv_cache import served

ADD, MUL = QUESTIONS[0], next(question for question in QUESTIONS if question.kind == "mul")


def call(name: str, arguments: str) -> dict[str, Any]:
    return {"id": "1", "type": "function", "function": {"name": name, "arguments": arguments}}


class Crowded(ThreadingHTTPServer):
    """Lets many connect at the same moment."""

    request_queue_size = 64


class Model(Answering):
    """Adds whatever it is asked for, and calls nothing where the sampling is not greedy."""

    tells_chances = True

    def do_POST(self) -> None:
        body = self._asked()
        if "logprobs" in body and not self.tells_chances:
            return self._send(400, {"message": "requested but not enabled logprobs_mode in engine configuration"})
        if self.path == "/v1/completions":
            return self._send(200, {"choices": [{"text": " then"}]})
        (turn,) = body["messages"]
        question = next(one for one in QUESTIONS if one.text == turn["content"])
        arguments = json.dumps({"a": question.a, "b": question.b})
        message = {"content": None, "tool_calls": [call("add", arguments)] if body["temperature"] == 0 else None}
        chances = [{"token": "`", "logprob": -1.75}]
        tokens = [{"token": "<", "logprob": -0.25, "top_logprobs": chances}]
        return self._send(200, {"choices": [{"message": message, "logprobs": {"content": tokens}}]})


class WithoutLogprobs(Model):
    """Refuses to tell them, as lmdeploy's PyTorch engine does."""

    tells_chances = False


@pytest.mark.parametrize(
    ("calls", "is_right"),
    [
        ([call("add", '{"a": 3, "b": 5}')], True),
        ([call("mul", '{"a": 3, "b": 5}')], False),
        ([call("add", '{"a": "3", "b": 5}')], False),
        ([call("add", '{"a":":": "3"')], False),
        ([call("add", '{"a": 3, "b": 5}')] * 2, False),
        ([], False),
    ],
)
def test_only_the_one_call_that_was_asked_for_is_right(calls: list[dict[str, Any]], is_right: bool) -> None:
    assert right(ADD, calls) is is_right


@pytest.mark.parametrize(("tokens", "at"), [("abc", None), ("abd", 2), ("ab", 2), ("abcd", 3), ("xbc", 0)])
def test_first_difference_is_found_in_texts_of_any_length(tokens: str, at: int | None) -> None:
    assert first_difference(tokens, "abc") == at


def test_answer_keeps_tokens_and_the_chances_of_the_first() -> None:
    with port_of(Model) as port:
        found = asked(Endpoint("127.0.0.1", port, "model"), MUL, {"temperature": 0.0})
    assert found["right"] is False
    assert (found["tokens"], found["first"]) == (["<"], {"<": -0.25, "`": -1.75})


def test_server_that_tells_no_chances_is_asked_without() -> None:
    with port_of(WithoutLogprobs) as port:
        assert asked(Endpoint("127.0.0.1", port, "model"), ADD, {"temperature": 0.0})["right"]


def test_server_is_asked_everything_and_compared_with_its_reference() -> None:
    with serving(Crowded(("127.0.0.1", 0), Model)) as server:
        found = measured(Endpoint("127.0.0.1", server.server_port, "model"))
    assert found["right"]["alone"] == {"add": [5, 5], "mul": [0, 5], "zh": [2, 2]}
    assert found["right"]["loaded"] == {"add": [10, 10], "mul": [0, 10], "zh": [4, 4]}
    assert found["right"]["sampled"] == {"add": [0, 20], "mul": [0, 20], "zh": [0, 8]}
    same = compared(found, found)
    assert same["shortest_that_differs"] is None
    other = {**found, "alone": [{**reply, "tokens": ["`"]} for reply in found["alone"]]}
    left = compared(found, other)
    assert left["shortest_that_differs"] == min((one.text for one in QUESTIONS), key=len)
    assert {one["differs_at"] for one in left["alone"]} == {0}
    assert {one["differs_at"] for one in left["lengths"]} == {None}
    told = {"backend": "turbomind", "quant_policy": 8, "dtype": "bfloat16", **left}
    record = {"gpu": "H100", "versions": {}, "date": "2026-11-27", "command": "x", "servers": [told]}
    row = "| turbomind | 8 | bfloat16 | 5/5 0/5 2/2 | 10/10 0/10 4/4 | 0/20 0/20 0/8 | 12 / 24 |"
    assert row in served(record, Place("en")).splitlines()


def test_calls_are_compared_where_the_api_tells_no_tokens() -> None:
    replies = [{"prompt": "Compute 3+5", "tokens": [], "message": ["", call]} for call in ("add", "mul")]
    own, other = ({"right": {}, "wrong": [], "lengths": [], "alone": [reply]} for reply in replies)
    assert compared(own, other)["alone"][0]["differs_at"] == 1
