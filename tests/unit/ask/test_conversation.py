"""Calls are run and handed back, turn by turn, and trials at a topic are made of such conversations."""

from dataclasses import replace
from typing import Any

import pytest

from fixtures.ask.conversation import LONGEST, as_history, converse, solved, without_parser
from fixtures.ask.questions import Question, Topic, add
from fixtures.ask.tool_calls import try_topic
from fixtures.client.answer import Answer
from fixtures.client.tools import ADD
from fixtures.homework import SAMPLING
from fixtures.judge.profile import SEED
from fixtures.judge.tool_calls import Expected, ToolConversation, conversation_fault
from fixtures.lmdeploy.capabilities import capabilities
from tests.unit.answers import Scripted, answer, fault_id, tool_call

V0_18 = capabilities("0.18.0")
V0_6 = capabilities("0.6.5")
SUMS = Topic(add)
DROPPED = answer('<|action_start|><|plugin|>{"name": "sum"}<|action_end|>')
SAME_IDS = [*(answer(calls=[tool_call(name, 3, 5, "0")]) for name in ("add", "mul")), answer("16")]


def talk(*answers: Answer, **fields: Any) -> tuple[ToolConversation, Scripted]:
    client = Scripted(*answers)
    return converse(client, "Compute (3+5)*2", SAMPLING, "tool", **fields), client  # type: ignore[arg-type]


def test_calls_are_run_and_their_results_handed_back() -> None:
    calls = [answer(calls=[tool_call("add", 3, 5, "c1")]), answer(calls=[tool_call("mul", 8, 2, "c2")])]
    found, client = talk(*calls, answer("16"), seed=7)
    assert conversation_fault(found, Expected((("add", 3, 5), ("mul", 8, 2)), final=16)) is None
    assert [len(asked["messages"]) for asked in client.asked] == [1, 3, 5]
    assert client.asked[2]["messages"][2] == {
        "role": "tool", "tool_call_id": "c1", "name": "add", "content": "3+5=8",
    }  # fmt: skip
    assert found.calls_json()[1] == {"name": "mul", "arguments": {"a": 8, "b": 2}, "result": 16}
    assert client.asked[0]["seed"] == 7


@pytest.mark.parametrize(
    "answers",
    [
        [answer("16 <tools>")],
        [answer("<tools>", calls=[tool_call("add", 3, 5)]), answer("8")],
    ],
)
def test_the_models_own_tokens_are_found_beside_calls_and_behind_them(answers: list[Answer]) -> None:
    found, _ = talk(*(replace(one, special_tokens=("<tools>",)) for one in answers))
    assert fault_id(found.fault) == "special_tokens"


def test_two_calls_in_one_turn_are_handed_back_together() -> None:
    found, client = talk(answer(calls=[tool_call("add", 1, 11, "c1"), tool_call("mul", 4, 5, "c2")]), answer("12, 20"))
    assert found.turns == (1, 1)
    assert [message.get("tool_call_id") for message in client.asked[1]["messages"]] == [None, None, "c1", "c2"]


@pytest.mark.parametrize(
    ("answers", "fields", "fault", "calls"),
    [
        # Its call is evidence all the same.
        ([answer(calls=[tool_call("add", 3, 5)], reason="stop")], {}, "finish_reason", 1),
        ([answer(calls=[tool_call("subtract", 3, 5)])], {}, "tool_not_offered", 0),
        ([answer(calls=[tool_call("mul", 3, 5)])], {"tools": [ADD]}, "tool_not_offered", 0),
        ([answer(calls=[tool_call("add", 3, 5, f"c{turn}")]) for turn in range(LONGEST)], {}, "still_calling", LONGEST),
        ([answer("16", reason="length")], {}, "finish_reason", 0),
        # Ids must differ between answers where the version promises it.
        (SAME_IDS, {"unique_ids": True}, "call_id_repeated", 2),
        (SAME_IDS, {"unique_ids": False}, "", 2),
    ],
)
def test_answer_ends_the_conversation_by_its_fault(
    answers: list[Answer], fields: dict[str, Any], fault: str, calls: int
) -> None:
    found, _ = talk(*answers, **fields)
    assert (fault_id(found.fault), len(found.calls)) == (fault, calls)


def test_earlier_question_is_replayed_with_its_calls_and_results() -> None:
    function = {"name": "add", "arguments": '{"a": 3, "b": 5}'}
    asked = {"id": "earlier-0-add-3-5", "type": "function", "function": function}
    assert solved("3+5?", (("add", 3, 5),), "8", "environment") == [
        {"role": "user", "content": "3+5?"},
        {"role": "assistant", "content": "", "tool_calls": [asked]},
        {"role": "environment", "name": "plugin", "content": "3+5=8"},
        {"role": "assistant", "content": "8"},
    ]
    ids = [message.get("tool_call_id") for message in solved("?", (("add", 3, 5), ("add", 3, 5)), "8", "tool")]
    assert ids == [None, None, "earlier-0-add-3-5", None, "earlier-1-add-3-5", None]


def test_answer_is_replayed_as_it_came() -> None:
    calls = [tool_call("add", 3, 5, "c1") | {"index": 0}]
    assert as_history(answer("so", calls))["tool_calls"] == [tool_call("add", 3, 5, "c1")]
    assert as_history(answer("done")) == {"role": "assistant", "content": "done", "tool_calls": []}


def test_parser_is_got_out_of_the_way_by_the_same_request() -> None:
    found, client = talk(answer("nothing"), seed=7)
    client.answers[:] = [answer("raw")]
    assert without_parser(client, found.request) == "raw"  # type: ignore[arg-type]
    first, again = client.asked
    assert again == {**first, "tool_choice": "none", "skip_special_tokens": False}


def right_script(question: Question) -> list[Answer]:
    name, a, b = question.expected.calls[0]
    return [answer(calls=[tool_call(name, a, b)]), answer(f"The result is {question.expected.final}.")]


def test_right_trial_at_a_topic() -> None:
    question = SUMS.question("tools.add_trials", 3)
    client: Any = Scripted(*right_script(question))
    judged = try_topic(client, SUMS, "tools.add_trials", 3, V0_18)
    assert judged.fault is None
    assert judged.calls[0]["result"] == question.expected.final
    assert (client.asked[0]["seed"], client.asked[0]["temperature"]) == (SEED + 3, 0.8)


@pytest.mark.parametrize(
    ("answers", "version", "fault", "asked"),
    [
        ([answer("I wonder."), DROPPED], V0_18, "call_dropped", 2),
        ([answer("It is 8."), answer("It is 8.")], V0_18, "call_not_written", 2),
        ([answer("It is 8.")], V0_6, "no_call", 1),  # it has no raw view
    ],
)
def test_lost_call_is_looked_for_without_the_parser(
    answers: list[Answer], version: Any, fault: str, asked: int
) -> None:
    client: Any = Scripted(*answers)
    assert fault_id(try_topic(client, SUMS, "tools.add_trials", 1, version).fault) == fault
    assert len(client.asked) == asked


def test_results_go_back_in_the_role_of_the_topic_and_the_history_comes_first() -> None:
    before = (("3+5", (("add", 3, 5),), "8"),)
    topic = Topic(lambda rng: replace(add(rng), solved=before), result_role="environment")
    client: Any = Scripted(*right_script(topic.question("some", 1)))
    try_topic(client, topic, "some", 1, V0_18)
    roles = [message["role"] for message in client.asked[1]["messages"]]
    assert roles == ["user", "assistant", "environment", "assistant", "user", "assistant", "environment"]
