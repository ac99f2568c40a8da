"""Judging a tool conversation: exact names, values, types, order and number of calls."""

from typing import Any

import pytest
from fixtures.judge.conversation import (
    Executed,
    Expected,
    ToolConversation,
    as_history,
    calls_fault,
    converse,
    explain_no_call,
    fault_of_final,
    first_right,
    judge,
    solved,
    usage_fault,
    without_parser,
)

from fixtures.client.client import Answer
from fixtures.client.tools import ADD, Call
from fixtures.homework import SAMPLING
from tests.unit.answers import Scripted, answer, tool_call

CHAIN = Expected(calls=(("add", 3, 5), ("mul", 8, 2)), final=16)


def conversation(*calls: tuple[str, int, int], reply: str = "The result is 16.", fault: str = "") -> ToolConversation:
    done = tuple(Executed(Call("id", name, {"a": a, "b": b}), 0) for name, a, b in calls)
    return ToolConversation(done, reply, fault)


def test_the_right_chain_has_no_fault() -> None:
    assert judge(conversation(("add", 3, 5), ("mul", 8, 2)), CHAIN) == ""


def test_operands_may_be_swapped() -> None:
    assert judge(conversation(("add", 5, 3), ("mul", 2, 8)), CHAIN) == ""


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (conversation(), "called no tool"),
        (conversation(("mul", 8, 2), ("add", 3, 5)), "called mul(8, 2) then add(3, 5), expected add(3, 5)"),
        (conversation(("add", 3, 5)), "expected add(3, 5) then mul(8, 2)"),
        (conversation(("add", 3, 5), ("mul", 8, 2), ("mul", 8, 2)), "then mul(8, 2) then mul(8, 2)"),
        (conversation(("mul", 3, 5), ("mul", 8, 2)), "called mul(3, 5)"),
        (conversation(("add", 3, 6), ("mul", 8, 2)), "add(3, 6)"),
        (conversation(("add", 3, 5), ("mul", 8, 2), reply="It is 160."), "does not name 16"),
        (conversation(("add", 3, 5), ("mul", 8, 2), reply=""), "does not name 16"),
        (conversation(("add", 3, 5), ("mul", 8, 2), fault="cut"), "cut"),
    ],
)
def test_a_wrong_conversation_is_told_by_its_fault(wrong: ToolConversation, words: str) -> None:
    assert words in judge(wrong, CHAIN)


def test_a_number_with_thousands_commas_counts() -> None:
    expected = Expected(calls=(("mul", 100, 50),), final=5000)
    assert judge(conversation(("mul", 100, 50), reply="5,000"), expected) == ""


def test_trying_stops_at_the_first_right_one() -> None:
    seen: list[tuple[int, ToolConversation, str]] = []
    attempts = iter([conversation(reply="no"), conversation(reply="16"), conversation(reply="never asked for")])
    tried: list[ToolConversation] = []

    def attempt() -> ToolConversation:
        tried.append(next(attempts))
        return tried[-1]

    reasons = first_right(
        attempt, lambda made: "" if made.reply == "16" else "wrong", 5, lambda *told: seen.append(told)
    )
    assert reasons == ["wrong", ""]
    assert [made.reply for made in tried] == ["no", "16"]
    assert seen == [(1, tried[0], "wrong"), (2, tried[1], "")]


def test_trying_gives_up_after_the_tries() -> None:
    assert first_right(conversation, lambda _: "wrong", 3, lambda *_: None) == ["wrong"] * 3


NOTHING = Expected(calls=(), names=("北京",))


def test_no_call_is_right_where_none_is_needed() -> None:
    assert judge(conversation(reply="中国的首都是北京。"), NOTHING) == ""


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (conversation(("add", 3, 5), reply="北京"), "called add(3, 5) where no call was needed or possible"),
        (conversation(reply="  "), "the reply is empty"),
        (conversation(reply="中国的首都是上海。"), "does not name 北京"),
    ],
)
def test_a_needless_call_or_a_wrong_answer_is_told(wrong: ToolConversation, words: str) -> None:
    assert words in judge(wrong, NOTHING)


UNABLE = Expected(calls=(), about=("50", "tool", "工具"))


@pytest.mark.parametrize("reply", ["I need the Tool mul.", "需要工具 mul。", "It is 50."])
def test_a_reply_about_the_question_is_enough_where_nothing_can_be_called(reply: str) -> None:
    assert judge(conversation(reply=reply), UNABLE) == ""


@pytest.mark.parametrize("reply", ["w50 w250 w501", "stools and toolboxes", "150"])
def test_random_words_are_no_reply(reply: str) -> None:
    assert "the reply is not about the question" in judge(conversation(reply=reply), UNABLE)


AT_ONCE = Expected(calls=(("add", 1, 11), ("mul", 4, 5)), final=20, names=("12",), any_order=True, one_turn=True)
TWO = [tool_call("add", 1, 11, "c1"), tool_call("mul", 4, 5, "c2")]


def test_two_calls_in_one_turn_are_handed_back_together() -> None:
    found, client = talk(answer(calls=TWO), answer("12 and 20"))
    assert judge(found, AT_ONCE) == ""
    assert [message["role"] for message in client.asked[1]["messages"]] == ["user", "assistant", "tool", "tool"]
    assert [message["tool_call_id"] for message in client.asked[1]["messages"][2:]] == ["c1", "c2"]


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ((answer(calls=TWO[:1]), answer(calls=TWO[1:]), answer("12 and 20")), "the calls came in 2 turns, not in one"),
        ((answer(calls=TWO[:1]), answer("12 and 20")), "expected add(1, 11) then mul(4, 5)"),
        ((answer(calls=[TWO[0], tool_call("mul", 4, 5, "c1")]), answer("12 and 20")), "is not its own: c1, c1"),
        ((answer(calls=[TWO[0], tool_call("mul", 4, 6, "c2")]), answer("12 and 24")), "mul(4, 6)"),
        ((answer(calls=TWO), answer("20")), "does not name 12"),
        ((answer(calls=TWO), answer("12 and 2020")), "does not name 20"),
        ((answer(calls=TWO, reason="stop"), answer("12 and 20")), "finish_reason is 'stop'"),
        ((answer("12 and 20"),), "called no tool"),
    ],
)
def test_two_calls_that_are_not_both_right_in_one_turn_are_told(answers: tuple[Answer, ...], words: str) -> None:
    assert words in judge(talk(*answers)[0], AT_ONCE)


BOTH = Expected(calls=(("add", 1, 11), ("mul", 4, 5)), final=20, names=("12",), any_order=True)


def test_independent_calls_may_come_in_any_order() -> None:
    assert judge(conversation(("mul", 5, 4), ("add", 1, 11), reply="12 and 20"), BOTH) == ""


@pytest.mark.parametrize("reply", ["20", "112 and 20", "12 and 200"])
def test_both_results_must_be_named_as_numbers(reply: str) -> None:
    assert "does not name" in judge(conversation(("mul", 5, 4), ("add", 1, 11), reply=reply), BOTH)


def talk(*answers: Answer, **fields: Any) -> tuple[ToolConversation, Scripted]:
    client = Scripted(*answers)
    return converse(client, "Compute (3+5)*2", SAMPLING, "tool", **fields), client


def test_calls_are_run_and_their_results_handed_back() -> None:
    found, client = talk(
        answer(calls=[tool_call("add", 3, 5, "c1")]), answer(calls=[tool_call("mul", 8, 2, "c2")]), answer("16"), seed=7
    )
    assert judge(found, CHAIN) == ""
    assert len(client.asked) == 3
    assert [message["role"] for message in client.asked[2]["messages"]] == [
        "user", "assistant", "tool", "assistant", "tool",
    ]  # fmt: skip
    assert client.asked[2]["messages"][2] == {
        "role": "tool", "tool_call_id": "c1", "name": "add", "content": "3+5=8",
    }  # fmt: skip
    assert client.asked[0]["seed"] == 7
    assert len(client.asked[0]["messages"]) == 1


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (answer(calls=[tool_call("add", 3, 5)], reason="stop"), "finish_reason is 'stop' beside a call"),
        (answer("<|plugin|>", calls=[tool_call("add", 3, 5)]), "beside a call: <|plugin|>"),
        (answer(calls=[tool_call("add", 3, 5, "")]), "no id"),
        (answer(calls=[tool_call("add", 3, 5, None)]), "no id"),
        (answer(calls=[tool_call("add", 3, 5), tool_call("mul", 8, 2)]), "not its own"),
        (answer(calls=[tool_call("add", 3, 5)], usage=None), "no usage"),
    ],
)
def test_an_answer_with_calls_is_checked_as_a_whole(bad: Answer, words: str) -> None:
    assert words in calls_fault(bad)
    found, _ = talk(bad)
    assert words in found.fault
    assert found.calls, "what was called is evidence, also in a bad answer"


def test_an_invented_function_ends_the_conversation() -> None:
    found, _ = talk(answer(calls=[tool_call("subtract", 3, 5)]))
    assert "subtract, which was not offered" in found.fault
    found, _ = talk(answer(calls=[tool_call("mul", 3, 5)]), tools=[ADD])
    assert "mul, which was not offered" in found.fault


def test_ids_must_differ_between_answers_where_the_version_promises_it() -> None:
    script = [answer(calls=[tool_call("add", 3, 5, "0")]), answer(calls=[tool_call("mul", 8, 2, "0")]), answer("16")]
    found, _ = talk(*script)
    assert found.fault == ""
    found, _ = talk(*script, unique_ids=True)
    assert "not its own: 0" in found.fault


def test_a_model_that_never_stops_calling_is_stopped() -> None:
    found, _ = talk(*[answer(calls=[tool_call("add", 3, 5, f"c{number}")]) for number in range(6)])
    assert "still calling tools after 6 turns" in found.fault


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (answer('<|action_start|><|plugin|>{"name"'), "instead of being parsed"),
        (answer("16", reason="length"), "'length'"),
        (answer("16<|im_end|>"), "special tokens were left in the reply: <|im_end|>"),
        (answer("16", usage={}), "usage counts no tokens"),
    ],
)
def test_a_last_answer_is_checked_as_a_whole(bad: Answer, words: str) -> None:
    assert words in fault_of_final(bad)


@pytest.mark.parametrize(
    ("usage", "words"),
    [
        (None, "no usage"),
        ([], "no usage"),
        ({"prompt_tokens": 0, "completion_tokens": 5, "total_tokens": 5}, "prompt 0"),
        ({"prompt_tokens": 10, "completion_tokens": "5", "total_tokens": 15}, "completion 5"),
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 16}, "does not add up"),
    ],
)
def test_token_counts_that_cannot_be_are_told(usage: Any, words: str) -> None:
    assert words in usage_fault(answer("16", usage=usage))
    assert usage_fault(answer("16")) == ""


def test_an_earlier_question_is_replayed_with_its_calls_and_results() -> None:
    function = {"name": "add", "arguments": '{"a": 3, "b": 5}'}
    asked = {"id": "earlier-0-add-3-5", "type": "function", "function": function}
    assert solved("3+5?", [("add", 3, 5)], "8", "environment") == [
        {"role": "user", "content": "3+5?"},
        {"role": "assistant", "content": "", "tool_calls": [asked]},
        {"role": "environment", "name": "plugin", "content": "3+5=8"},
        {"role": "assistant", "content": "8"},
    ]
    ids = [message.get("tool_call_id") for message in solved("?", [("add", 3, 5), ("add", 3, 5)], "8", "tool")]
    assert ids == [None, None, "earlier-0-add-3-5", None, "earlier-1-add-3-5", None]


def test_an_answer_is_replayed_as_it_came() -> None:
    calls = [tool_call("add", 3, 5, "c1") | {"index": 0}, tool_call("mul", 8, 2, "c2")]
    asked = [tool_call("add", 3, 5, "c1"), tool_call("mul", 8, 2, "c2")]
    assert as_history(answer("so", calls)) == {"role": "assistant", "content": "so", "tool_calls": asked}
    assert as_history(answer("done")) == {"role": "assistant", "content": "done", "tool_calls": []}


def test_a_lost_call_is_told_from_none() -> None:
    assert "the parser dropped it" in explain_no_call('<|action_start|><|plugin|>\n{"name": "sub"}')
    assert (
        explain_no_call("I cannot do that.")
        == "without the parser the text is 'I cannot do that.': no call was written"
    )


def test_the_parser_is_got_out_of_the_way_by_the_same_request() -> None:
    found, client = talk(answer("nothing"), seed=7)
    client.answers[:] = [answer("raw")]
    assert without_parser(client, found.request) == "raw"
    first, again = client.asked
    assert again == {**first, "tool_choice": "none", "skip_special_tokens": False}
