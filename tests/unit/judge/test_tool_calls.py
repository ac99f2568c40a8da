"""Tool calls: read to the letter, exact in name, values, types, order and number."""

from typing import Any

import pytest

from fixtures.client.tools import ADD, Call
from fixtures.judge.tool_calls import Expected, ToolConversation, conversation_fault, explained, read_call
from fixtures.texts import Message, message
from tests.unit.answers import fault_id, tool_call
from tests.unit.judge.cases import cases

TWO = (("add", 1, 11), ("mul", 4, 5))
QUESTIONS = {
    "chain": Expected((("add", 3, 5), ("mul", 8, 2)), final=16),
    "a question of knowledge": Expected((), names=("北京",)),
    "a question about a tool": Expected((), about=("50", "tool")),
    "two questions": Expected(TWO, final=20, names=("12",), any_order=True),
    "two questions at once": Expected(TWO, final=20, names=("12",), any_order=True, one_turn=True),
}


def conversation(calls: list[Any], reply: str = "16", turns: tuple[int, ...] = ()) -> ToolConversation:
    made = tuple(Call("id", name, {"a": a, "b": b}) for name, a, b in calls)
    return ToolConversation(made, tuple(turns or range(1, len(made) + 1)), reply)


@pytest.mark.parametrize(("question", "fault", "given"), cases("conversations.toml"))
def test_conversation_has_the_fault(question: str, fault: str, given: dict[str, Any]) -> None:
    found = conversation_fault(conversation(**given), QUESTIONS[question])
    assert (found.id if found else "sound") == fault


def test_conversation_that_was_ended_has_the_fault_that_ended_it() -> None:
    ended = message("fault.still_calling", turns=6)
    assert conversation_fault(ToolConversation((), (), "", ended), QUESTIONS["chain"]) == ended


def test_other_calls_are_shown_beside_those_expected() -> None:
    fault = conversation_fault(conversation([("mul", 8, 2), ("add", 3, 5)]), QUESTIONS["chain"])
    assert str(fault) == "called mul(8, 2) → add(3, 5), expected add(3, 5) → mul(8, 2)"


def test_right_call_is_read() -> None:
    assert read_call(tool_call("add", 3, 5)) == Call("c1", "add", {"a": 3, "b": 5})


def test_schema_fault_names_the_argument() -> None:
    assert "$.a: 3.0 is not of type 'integer'" in str(read_call(tool_call("add", 3.0, 5)))


def test_tool_that_was_not_offered_this_time_is_refused() -> None:
    found = read_call(tool_call("mul", 3, 5), offered=(ADD,))
    assert isinstance(found, Message)
    assert fault_id(found) == "tool_not_offered"


def test_lost_call_is_told_from_none() -> None:
    fault = message("fault.no_call", reply="I wonder.")
    assert fault_id(explained(fault, '<|action_start|><|plugin|>\n{"name": "sub"}')) == "call_dropped"
    assert fault_id(explained(fault, '<tool_call>{"a":":": "8"')) == "call_garbled"
    assert fault_id(explained(fault, "<tool_call> 8")) == "call_garbled"
    assert fault_id(explained(fault, "I cannot do that.")) == "call_not_written"
