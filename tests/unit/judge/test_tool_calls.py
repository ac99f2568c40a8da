"""Tool calls: read to the letter, exact in name, values, types, order and number."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fixtures.client.answer import Answer
from fixtures.client.tools import ADD, Call
from fixtures.judge.tool_calls import (
    LONGEST,
    Expected,
    ToolConversation,
    calls_fault,
    conversation_fault,
    explained,
    forced_fault,
    no_call_fault,
    read_call,
    right_call_fault,
)
from fixtures.texts import Message, message
from tests.unit.answers import answer, fault_id, tool_call

SUM = ("add", 3, 5)
CHAIN = Expected(calls=(SUM, ("mul", 8, 2)), final=16)
NOTHING = Expected(calls=(), names=("北京",))
BOTH = Expected(calls=(("add", 1, 11), ("mul", 4, 5)), final=20, names=("12",), any_order=True)
AT_ONCE = Expected(BOTH.calls, final=20, names=("12",), any_order=True, one_turn=True)
LARGEST = 10**18 - 1


def conversation(*calls: tuple[str, int, int], reply: str = "16", turns: tuple[int, ...] = ()) -> ToolConversation:
    made = tuple(Call("id", name, {"a": a, "b": b}) for name, a, b in calls)
    return ToolConversation(made, turns or tuple(range(1, len(made) + 1)), reply)


@pytest.mark.parametrize(
    ("made", "expected", "fault"),
    [
        (conversation(SUM, ("mul", 8, 2)), CHAIN, ""),
        (conversation(("add", 5, 3), ("mul", 2, 8)), CHAIN, ""),
        (conversation(), CHAIN, "no_call"),
        (conversation(("mul", 8, 2), SUM), CHAIN, "other_calls"),
        (conversation(SUM), CHAIN, "other_calls"),
        (conversation(SUM, ("mul", 8, 2), ("mul", 8, 2)), CHAIN, "other_calls"),
        (conversation(("mul", 3, 5), ("mul", 8, 2)), CHAIN, "other_calls"),
        (conversation(("add", 3, 6), ("mul", 8, 2)), CHAIN, "other_calls"),
        (conversation(SUM, ("mul", 8, 2), reply="It is 160."), CHAIN, "other_number"),
        (conversation(SUM, ("mul", 8, 2), reply=""), CHAIN, "no_final_answer"),
        (ToolConversation((), (), "", message("fault.still_calling", turns=6)), CHAIN, "still_calling"),
        (conversation(reply="中国的首都是北京。"), NOTHING, ""),
        (conversation(SUM, reply="北京"), NOTHING, "unwanted_call"),
        (conversation(reply="  "), NOTHING, "empty_reply"),
        (conversation(reply="中国的首都是上海。"), NOTHING, "not_named"),
        (conversation(reply="w50 w250"), Expected(calls=(), about=("50", "tool")), "off_topic"),
        (conversation(("mul", 5, 4), ("add", 1, 11), reply="12 and 20"), BOTH, ""),
        (conversation(("mul", 5, 4), ("add", 1, 11), reply="20"), BOTH, "not_named"),
        (conversation(*BOTH.calls, reply="12 and 20", turns=(1, 1)), AT_ONCE, ""),
        (conversation(*BOTH.calls, reply="12 and 20"), AT_ONCE, "several_turns"),
    ],
)
def test_conversation_has_the_fault(made: ToolConversation, expected: Expected, fault: str) -> None:
    assert fault_id(conversation_fault(made, expected)) == fault


def test_other_calls_are_shown_beside_those_expected() -> None:
    fault = conversation_fault(conversation(("mul", 8, 2), SUM), CHAIN)
    assert str(fault) == "called mul(8, 2) → add(3, 5), expected add(3, 5) → mul(8, 2)"


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (answer(calls=[tool_call(*SUM)]), ""),
        (answer(calls=[tool_call(*SUM)], reason="stop"), "finish_reason"),
        (answer("<|plugin|>", calls=[tool_call(*SUM)]), "special_tokens"),
        (answer(calls=[tool_call(*SUM, "seen")]), "call_id_repeated"),
        (answer(calls=[tool_call(*SUM, "0")]), ""),
        (answer(calls=[tool_call(*SUM), tool_call(*SUM, "0")]), "call_id_repeated"),
        (answer("I add first." + 288 * "!", calls=[tool_call(*SUM)]), ""),
        (answer("I add first." + 289 * "!", calls=[tool_call(*SUM)]), "text_beside_a_call"),
    ],
)
def test_answer_with_calls_is_checked_as_a_whole(given: Answer, fault: str) -> None:
    assert fault_id(calls_fault(given, {"seen", "0"})) == fault


def test_no_id_comes_again_where_the_version_promises_it() -> None:
    assert fault_id(calls_fault(answer(calls=[tool_call(*SUM, "0")]), {"0"}, unique=True)) == "call_id_repeated"


def call(name: Any = "add", arguments: Any = '{"a": 3, "b": 5}') -> dict[str, Any]:
    return {"id": "call-1", "type": "function", "function": {"name": name, "arguments": arguments}}


@pytest.mark.parametrize(
    ("given", "arguments"),
    [
        (call(), {"a": 3, "b": 5}),
        (call(arguments='{"a": 3, "b": 5}'.ljust(LONGEST)), {"a": 3, "b": 5}),
        (call(arguments=json.dumps({"a": LARGEST, "b": 0})), {"a": LARGEST, "b": 0}),
        (call(arguments=json.dumps({"a": -LARGEST, "b": 0})), {"a": -LARGEST, "b": 0}),
    ],
)
def test_right_call_is_read(given: dict[str, Any], arguments: dict[str, int]) -> None:
    assert read_call(given) == Call("call-1", "add", arguments)


@pytest.mark.parametrize(
    ("bad", "fault"),
    [
        (call(name="subtract"), "tool_not_offered"),
        (call(name=None), "tool_not_offered"),
        (call(name="x" * 2000), "tool_not_offered"),
        ({"id": "x"}, "tool_not_offered"),
        ({"id": "x", "function": "add(3, 5)"}, "tool_not_offered"),
        (call(arguments="a=3, b=5"), "arguments_not_json"),
        (call(arguments=None), "arguments_not_json"),
        (call(arguments={"a": 3, "b": 5}), "arguments_not_json"),
        (call(arguments={"a": "x" * 2000}), "arguments_not_json"),
        (call(arguments="[" * 1000), "arguments_not_json"),
        (call(arguments="[3, 5]"), "arguments_no_object"),
        (call(arguments='{"a": 3, "b": 5, "a": 4}'), "argument_twice"),
        (call(arguments="9" * 100_000), "long_arguments"),
        (call(arguments='{"a": 3, "b": 5}'.ljust(LONGEST + 1)), "long_arguments"),
        (call(arguments='{"a": 3}'), "schema"),
        (call(arguments='{"a": "3", "b": 5}'), "schema"),
        (call(arguments='{"a": true, "b": 5}'), "schema"),
        (call(arguments='{"a": 3.0, "b": 5}'), "schema"),
        (call(arguments='{"a": 3, "b": null}'), "schema"),
        (call(arguments='{"a": 3, "b": [5]}'), "schema"),
        (call(arguments='{"a": 3, "b": NaN}'), "schema"),
        (call(arguments='{"a": 3, "b": 5, "c": 1}'), "schema"),
        (call(arguments=json.dumps({"a": LARGEST + 1, "b": 5})), "too_large"),
        (call(arguments=json.dumps({"a": 5, "b": -LARGEST - 1})), "too_large"),
        (call("mul", json.dumps({"a": 10**17, "b": -10})), "too_large"),
    ],
)
def test_wrong_call_is_refused_by_its_fault(bad: dict[str, Any], fault: str) -> None:
    found = read_call(bad)
    assert isinstance(found, Message)
    assert fault_id(found) == fault
    assert len(str(found)) < 400


def test_schema_fault_names_the_argument() -> None:
    assert "$.a: 3.0 is not of type 'integer'" in str(read_call(call(arguments='{"a": 3.0, "b": 5}')))


def test_tool_that_was_not_offered_this_time_is_refused() -> None:
    assert fault_id(read_call(call(name="mul"), offered=(ADD,))) == "tool_not_offered"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (answer(calls=[tool_call("add", 5, 3)]), ""),
        (answer("It is 8."), "no_call"),
        (answer(calls=[tool_call("add", 3, 6)]), "other_calls"),
        (answer(calls=[tool_call("mul", 3, 5)]), "other_calls"),
        (answer(calls=[tool_call("add", "3", 5)]), "schema"),
        (answer(calls=[tool_call(*SUM), tool_call(*SUM, "c2")]), "other_calls"),
        (answer(calls=[tool_call(*SUM)], reason="stop"), "finish_reason"),
    ],
)
def test_one_right_call(given: Answer, fault: str) -> None:
    assert fault_id(right_call_fault(given, SUM)) == fault


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (answer('{"name": "add"}'), ""),
        (answer(calls=[tool_call(*SUM)]), "forbidden_call"),
        (answer("text", reason="length"), "finish_reason"),
    ],
)
def test_no_call_at_all(given: Answer, fault: str) -> None:
    assert fault_id(no_call_fault(given)) == fault


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (answer("      ", calls=[tool_call(*SUM)], reason="length"), ""),
        (answer("从前"), "no_call"),
        (answer(calls=[call(arguments="{")]), "arguments_not_json"),
        (answer(calls=[tool_call("sub", 1, 2)]), "tool_not_offered"),
    ],
)
def test_forced_call(given: Answer, fault: str) -> None:
    assert fault_id(forced_fault(given)) == fault


def test_lost_call_is_told_from_none() -> None:
    fault = message("fault.no_call", reply="I wonder.")
    assert fault_id(explained(fault, '<|action_start|><|plugin|>\n{"name": "sub"}')) == "call_dropped"
    assert fault_id(explained(fault, "I cannot do that.")) == "call_not_written"
