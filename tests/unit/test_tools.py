"""Tool calls: read to the letter of their schema, run without eval."""

import json
from typing import Any

import pytest

from fixtures.tools import ADD, BadCall, Call, execute, read_call, result_text


def call(name: Any = "add", arguments: Any = '{"a": 3, "b": 5}') -> dict[str, Any]:
    return {"id": "call-1", "type": "function", "function": {"name": name, "arguments": arguments}}


def test_a_right_call_is_read() -> None:
    assert read_call(call()) == Call(id="call-1", name="add", arguments={"a": 3, "b": 5})


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (call(name="subtract"), "called subtract, which was not offered"),
        (call(name=None), "called None, which was not offered"),
        (call(arguments="a=3, b=5"), "are not JSON"),
        (call(arguments=None), "are not JSON"),
        (call(arguments={"a": 3, "b": 5}), "are not JSON"),
        (call(arguments="[3, 5]"), "no JSON object"),
        (call(arguments='{"a": 3}'), "'b' is a required property"),
        (call(arguments='{"a": "3", "b": 5}'), 'argument a of add is "3", text in place of an integer'),
        (call(arguments='{"a": true, "b": 5}'), "argument a of add is true, a boolean in place of an integer"),
        (call(arguments='{"a": 3.0, "b": 5}'), "3.0, a float in place of an integer"),
        (call(arguments='{"a": 3, "b": null}'), "argument b of add is null, nothing in place of an integer"),
        (call(arguments='{"a": 3, "b": [5]}'), "[5] is not of type 'integer'"),
        (call(arguments='{"a": 3, "b": NaN}'), "NaN, a float in place of an integer"),
        (call(arguments='{"a": 3, "b": 5, "c": 1}'), "does not have: c"),
        (call(arguments=json.dumps({"a": 10**18, "b": 5})), "more than 18 digits"),
        ({"id": "x"}, "not offered"),
    ],
)
def test_a_wrong_call_is_refused_by_its_fault(bad: dict[str, Any], words: str) -> None:
    with pytest.raises(BadCall) as refused:
        read_call(bad)
    assert words in str(refused.value)


def test_a_tool_that_was_not_offered_this_time_is_refused() -> None:
    with pytest.raises(BadCall, match="offered were add"):
        read_call(call(name="mul"), offered=(ADD,))


def test_add_and_mul_compute() -> None:
    assert execute(Call("1", "add", {"a": 3, "b": 5})) == 8
    assert execute(Call("2", "mul", {"a": -8, "b": 2})) == -16


def test_a_result_is_bounded() -> None:
    with pytest.raises(BadCall, match="more than 18 digits"):
        execute(Call("1", "mul", {"a": 10**17, "b": 10**17}))


def test_the_result_goes_back_as_in_the_documented_example() -> None:
    assert result_text(Call("1", "add", {"a": 3, "b": 5}), 8) == "3+5=8"
    assert result_text(Call("2", "mul", {"a": 8, "b": 2}), 16) == "8*2=16"
