"""Tool calls: read to the letter of their schema, run without eval."""

import json
from typing import Any

import pytest

from fixtures.client.tools import ADD, LONGEST, MUL, BadCall, Call, execute, read_call, result_text, tool


def call(name: Any = "add", arguments: Any = '{"a": 3, "b": 5}') -> dict[str, Any]:
    return {"id": "call-1", "type": "function", "function": {"name": name, "arguments": arguments}}


OPERAND = {"type": "integer", "description": "A number"}


@pytest.mark.parametrize(
    ("offered", "name", "description"),
    [(ADD, "add", "Compute the sum of two numbers"), (MUL, "mul", "Calculate the product of two numbers")],
)
def test_the_tools_are_those_of_the_documented_example(offered: object, name: str, description: str) -> None:
    parameters = {"type": "object", "properties": {"a": OPERAND, "b": OPERAND}, "required": ["a", "b"]}
    expected = {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}
    assert offered == tool(name, description) == expected


def test_a_right_call_is_read() -> None:
    assert read_call(call()) == Call(id="call-1", name="add", arguments={"a": 3, "b": 5})
    assert read_call({"function": call()["function"]}).id == ""


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
        (call(arguments='{"a": 3, "b": 5, "a": 4}'), 'given an argument twice: {"a": 3, "b": 5, "a": 4}'),
        (call(arguments="9" * 100_000), "are 100000 characters long: 99999"),
        (call(arguments="[" * 1000), "are not JSON"),
        (call(arguments={"a": "x" * 2000}), "are not JSON: {'a': 'xxx"),
        (call(name="x" * 2000), "xxx..., which was not offered"),
        ({"id": "x"}, "not offered"),
        ({"id": "x", "function": "add(3, 5)"}, "called None, which was not offered"),
    ],
)
def test_a_wrong_call_is_refused_by_its_fault(bad: dict[str, Any], words: str) -> None:
    with pytest.raises(BadCall) as refused:
        read_call(bad)
    assert words in str(refused.value)
    assert len(str(refused.value)) < 200


def test_a_tool_that_was_not_offered_this_time_is_refused() -> None:
    with pytest.raises(BadCall, match="offered were add"):
        read_call(call(name="mul"), offered=(ADD,))


def test_add_and_mul_compute() -> None:
    assert execute(Call("1", "add", {"a": 3, "b": 5})) == 8
    assert execute(Call("2", "mul", {"a": -8, "b": 2})) == -16


def test_arguments_as_long_as_allowed_are_read() -> None:
    text = '{"a": 3, "b": 5}'.ljust(LONGEST)
    assert read_call(call(arguments=text)).arguments == {"a": 3, "b": 5}
    with pytest.raises(BadCall, match="are 1001 characters long"):
        read_call(call(arguments=text + " "))


@pytest.mark.parametrize("factor", [10, -10])
def test_a_result_is_bounded(factor: int) -> None:
    with pytest.raises(BadCall, match="more than 18 digits"):
        execute(Call("1", "mul", {"a": 10**17, "b": factor}))
    assert execute(Call("1", "add", {"a": 10**18 - 2, "b": 1})) == 10**18 - 1


@pytest.mark.parametrize("value", [10**18 - 1, 1 - 10**18])
def test_the_largest_operands_are_read(value: int) -> None:
    text = json.dumps({"a": value, "b": 0})
    assert read_call(call(arguments=text)).arguments["a"] == value
    further = value + (1 if value > 0 else -1)
    with pytest.raises(BadCall, match="more than 18 digits"):
        read_call(call(arguments=json.dumps({"a": further, "b": 0})))


def test_the_result_goes_back_as_in_the_documented_example() -> None:
    assert result_text(Call("1", "add", {"a": 3, "b": 5}), 8) == "3+5=8"
    assert result_text(Call("2", "mul", {"a": 8, "b": 2}), 16) == "8*2=16"
