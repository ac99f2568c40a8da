"""Tool calls: read to the letter, exact in name, values, types, order and number."""

from __future__ import annotations

import pytest

from fixtures.client.tools import ADD, Call
from fixtures.judge.tool_calls import Expected, ToolConversation, conversation_fault, explained, read_call
from fixtures.texts import Message, message
from tests.unit.answers import fault_id, tool_call

SUM = ("add", 3, 5)
CHAIN = Expected(calls=(SUM, ("mul", 8, 2)), final=16)
NOTHING = Expected(calls=(), names=("北京",))
BOTH = Expected(calls=(("add", 1, 11), ("mul", 4, 5)), final=20, names=("12",), any_order=True)
AT_ONCE = Expected(BOTH.calls, final=20, names=("12",), any_order=True, one_turn=True)


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


def test_right_call_is_read() -> None:
    assert read_call(tool_call(*SUM)) == Call("c1", "add", {"a": 3, "b": 5})


def test_schema_fault_names_the_argument() -> None:
    assert "$.a: 3.0 is not of type 'integer'" in str(read_call(tool_call("add", 3.0, 5)))


def test_tool_that_was_not_offered_this_time_is_refused() -> None:
    found = read_call(tool_call("mul", 3, 5), offered=(ADD,))
    assert isinstance(found, Message)
    assert fault_id(found) == "tool_not_offered"


def test_lost_call_is_told_from_none() -> None:
    fault = message("fault.no_call", reply="I wonder.")
    assert fault_id(explained(fault, '<|action_start|><|plugin|>\n{"name": "sub"}')) == "call_dropped"
    assert fault_id(explained(fault, "I cannot do that.")) == "call_not_written"
