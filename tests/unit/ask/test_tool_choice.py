"""`tool_choice`: what is wrong with an answer under each of its values."""

import pytest
from fixtures.ask.tool_choice import NAMED_ADD, ask_once, forced_fault, no_call_fault, right_call_fault

from fixtures.client.client import Answer
from tests.unit.answers import Scripted, answer, tool_call

ADD = [tool_call("add", 5, 3)]


def test_right_answers_have_no_fault() -> None:
    assert right_call_fault(answer(calls=ADD)) == ""
    assert no_call_fault(answer('{"name": "add"}')) == ""
    assert forced_fault(answer("      ", calls=ADD, reason="length")) == ""


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (answer("It is 8."), "no call; the model said 'It is 8.'"),
        (answer(calls=[tool_call("add", 3, 6)]), "expected add(3, 5)"),
        (answer(calls=[tool_call("mul", 3, 5)]), "called mul"),
        (answer(calls=[tool_call("add", "3", 5)]), "text in place of an integer"),
        (answer(calls=[*ADD, tool_call("add", 3, 5, "c2")]), "expected add(3, 5)"),
        (answer(calls=ADD, reason="stop"), "finish_reason is 'stop'"),
    ],
)
def test_a_call_that_is_not_the_right_one_is_told(bad: Answer, words: str) -> None:
    assert words in right_call_fault(bad)


def test_a_forbidden_call_is_told() -> None:
    assert "1 calls came, and none was allowed" in no_call_fault(answer(calls=ADD))
    assert "'length'" in no_call_fault(answer("text", reason="length"))
    assert "no usage" in no_call_fault(answer("text", usage=None))


def test_a_call_that_was_not_forced_is_told() -> None:
    assert "no call came, and one was required" in forced_fault(answer("从前"))
    assert "not JSON" in forced_fault(answer(calls=[{"id": "c", "function": {"name": "add", "arguments": "{"}}]))
    assert "not offered" in forced_fault(answer(calls=[tool_call("sub", 1, 2)]))


def test_one_answer_is_asked_for_with_both_tools_and_its_own_seed() -> None:
    client = Scripted(answer(calls=ADD))
    judged = ask_once(client, "Compute 3+5", 2, right_call_fault, tool_choice=NAMED_ADD)
    assert judged.right
    assert judged.calls == [ADD[0]["function"]]
    (asked,) = client.asked
    assert asked["tool_choice"] == {"type": "function", "function": {"name": "add"}}
    assert len(asked["tools"]) == 2
    ask_once(client, "Compute 3+5", 3, right_call_fault)
    assert client.asked[1]["seed"] == asked["seed"] + 1
