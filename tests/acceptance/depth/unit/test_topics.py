"""This suite's topics and its long text: a right answer is right, and an echo of the question is not."""

import re
from dataclasses import replace
from typing import Any

import pytest

from fixtures.ask.filler import ZH
from fixtures.ask.held_out import HELD_OUT_NAMES
from fixtures.ask.questions import Question, Topic
from fixtures.client.tools import Call
from fixtures.judge.tool_calls import ToolConversation, conversation_fault
from tests.acceptance.depth import topics
from tests.acceptance.depth.long_text import long_text, tokens_per_character
from tests.unit.answers import answer

DRAWERS = (topics.large, topics.negative, topics.zero, topics.two_questions, topics.at_once, topics.not_needed,
           topics.not_invented, topics.replayed)  # fmt: skip


def drawn(draw: Any) -> list[Question]:
    return [Topic(draw).question("some", number) for number in range(1, 60)]


def right_answer(question: Question) -> ToolConversation:
    """The conversation of a perfect model."""
    expected = question.expected
    calls = [Call(f"c{n}", name, {"a": a, "b": b}) for n, (name, a, b) in enumerate(expected.calls)]
    reply = f"{' '.join(expected.names) or 'No.'} {expected.final or ''} {' '.join(expected.about[-1:])}"
    return ToolConversation(tuple(calls), (1,) * len(calls), reply)


@pytest.mark.parametrize("draw", DRAWERS)
def test_right_answer_is_right_and_an_echo_is_not(draw: Any) -> None:
    assert drawn(draw) == drawn(draw)
    for question in drawn(draw):
        right = right_answer(question)
        assert conversation_fault(right, question.expected) is None, question
        echo = conversation_fault(replace(right, reply=question.text), question.expected)
        assert (echo is None) is bool(question.expected.about), question  # not_invented takes any reply about it
        offered = {tool["function"]["name"] for tool in question.tools}
        assert {name for name, _, _ in question.expected.calls} <= offered


def test_topics_ask_for_what_they_are_named_for() -> None:
    assert all(min(one.expected.calls[0][1:]) >= 1000 for one in drawn(topics.large))
    assert all(min(one.expected.calls[0][1:]) < 0 for one in drawn(topics.negative))
    assert all(0 in one.expected.calls[0] for one in drawn(topics.zero))
    for question in drawn(topics.at_once):
        a, b, c, d = map(int, re.findall(r"\d+", question.text))
        assert question.expected.calls == (("add", a, b), ("mul", c, d))
        assert question.expected.one_turn
    for question in drawn(topics.not_invented):
        (tool,) = question.tools
        assert tool["function"]["name"] == ("add" if "*" in question.text else "mul")


def test_every_name_is_told_at_some_time() -> None:
    assert {topics.name("chat.remembers", number) for number in range(200)} == set(HELD_OUT_NAMES)


class Counting:
    """A server whose prompts have 20 tokens of their own and 3 for each 2 characters."""

    def ask(self, messages: list[dict[str, str]], **_: object) -> Any:
        return answer("x", usage={"prompt_tokens": 20 + len(messages[0]["content"]) * 3 // 2})


@pytest.mark.parametrize("tokens", [100, 1200, 30_000])
def test_long_text_is_as_long_as_asked_by_the_servers_count(tokens: int) -> None:
    server: Any = Counting()
    text = long_text(tokens, tokens_per_character(server))
    assert tokens - 1.5 * max(map(len, ZH)) - 2 < len(text) * 1.5 <= tokens
    assert text.endswith("。")
