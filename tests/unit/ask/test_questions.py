"""Questions beyond the homework's: deterministic, solvable, and such that a wrong answer can be told."""

import re
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from fixtures.ask.operands import is_held_out
from fixtures.ask.questions import (
    AT_ONCE,
    CONTROL,
    NAMES,
    TOPICS,
    TWO_CALLS,
    WORDS_EN,
    WORDS_ZH,
    Calls,
    Question,
    Topic,
    _until_open,
    _words,
    name,
)
from fixtures.client.tools import Call, execute
from fixtures.judge.conversation import Executed, Expected, ToolConversation, judge
from fixtures.run import claims
from tools.standin.problems import WORDS
from tools.standin.texts import PROBLEMS

DRAWN = 60
ALL = {topic.claim: topic for topic in (*TOPICS, *CONTROL)}
topics = pytest.mark.parametrize("topic", ALL.values(), ids=ALL)


def operands(call: tuple[str, int, int]) -> dict[str, Any]:
    return {"a": call[1], "b": call[2]}


def right_answer(question: Question) -> ToolConversation:
    """What a perfect model would do."""
    expected = question.expected
    calls = [Call(f"c{n}", name, {"a": a, "b": b}) for n, (name, a, b) in enumerate(expected.calls)]
    reply = f"{' '.join(expected.names) or 'No.'} {expected.final or ''} {' '.join(expected.about[-1:])}"
    return ToolConversation(tuple(Executed(call, execute(call)) for call in calls), reply, "")


@topics
def test_questions_are_the_same_every_time_and_differ_among_themselves(topic: Topic) -> None:
    drawn = [topic.question(number) for number in range(1, DRAWN)]
    assert drawn == [topic.question(number) for number in range(1, DRAWN)]
    assert len({question.text for question in drawn}) > 3


@topics
def test_a_right_answer_is_right(topic: Topic) -> None:
    for number in range(1, DRAWN):
        question = topic.question(number)
        assert judge(right_answer(question), question.expected) == "", question


@topics
def test_an_echo_of_the_question_is_not_an_answer(topic: Topic) -> None:
    for number in range(1, DRAWN):
        question = topic.question(number)
        if question.expected.about:
            continue  # tools.not_invented takes any reply about the question
        echo = right_answer(question)
        echo = ToolConversation(echo.calls, question.text, "")
        assert "does not name" in judge(echo, question.expected), question


@topics
def test_every_call_that_is_expected_is_possible(topic: Topic) -> None:
    for number in range(1, DRAWN):
        question = topic.question(number)
        offered = {tool["function"]["name"] for tool in question.tools}
        assert {name for name, _, _ in question.expected.calls} <= offered


def test_both_tasks_of_one_turn_are_asked_in_wordings_that_the_stand_in_knows() -> None:
    known = {text for texts in (PROBLEMS["at_once_zh"], PROBLEMS["at_once_en"]) for text in texts}
    assert {wording.replace("{}+{}", "{e}").replace("{}*{}", "{f}") for wording in AT_ONCE} <= known
    for number in range(1, DRAWN):
        question = ALL[TWO_CALLS].question(number)
        a, b, c, d = map(int, re.findall(r"\d+", question.text))
        assert question.expected.calls == (("add", a, b), ("mul", c, d))
        assert question.expected.one_turn


def test_what_cannot_be_called_is_not_offered() -> None:
    for number in range(1, DRAWN):
        question = ALL["tools.not_invented"].question(number)
        (tool,) = question.tools
        assert tool["function"]["name"] == ("add" if "*" in question.text else "mul")


def test_the_chain_is_the_homeworks_with_numbers_that_training_never_saw() -> None:
    for number in range(1, DRAWN):
        question = ALL["tools.chain_trials"].question(number)
        a, b, c = map(int, re.findall(r"\d+", question.text))
        assert question.expected.calls == (("add", a, b), ("mul", a + b, c))
        assert question.expected.final == (a + b) * c
        assert is_held_out(a)
        assert is_held_out(b)
        assert is_held_out(c)


def test_operands_are_large_negative_or_zero_where_they_should_be() -> None:
    for number in range(1, DRAWN):
        (_, a, b), *_ = ALL["tools.large_operands"].question(number).expected.calls
        assert min(a, b) >= 1000
        (_, a, b), *_ = ALL["tools.negative_operands"].question(number).expected.calls
        assert min(a, b) < 0
        (_, a, b), *_ = ALL["tools.zero_operand"].question(number).expected.calls
        assert 0 in (a, b)


def test_the_history_holds_two_solved_questions() -> None:
    question = ALL["tools.history_replayed"].question(1)
    assert len(question.solved) == 2
    for _, calls, reply in question.solved:
        name, a, b = calls[0]
        assert str(execute(Call("c", name, {"a": a, "b": b}))) in reply


@pytest.mark.parametrize(("used", "known"), [(WORDS_ZH, WORDS["zh"]), (WORDS_EN, WORDS["en"])])
def test_the_stand_in_knows_the_wordings_of_the_word_problems(
    used: tuple[tuple[str, object], ...], known: object
) -> None:
    people = "|".join((*PROBLEMS["people_zh"], *PROBLEMS["people_en"]))
    things = "|".join((*PROBLEMS["things_zh"], *PROBLEMS["things_en"]))
    boxes = "|".join(PROBLEMS["boxes_zh"])

    def shape(text: str) -> str:
        text = re.sub(r"\{[nm]\}", "N", re.sub(people, "N", text))
        text = re.sub(r"\{[ij]\}", "I", re.sub(things, "I", text))
        return re.sub(r"\{p\}", "P", re.sub(boxes, "P", text))

    shapes = {shape(text) for _, text in known}  # type: ignore[attr-defined]
    assert {shape(text) for text, _ in used} <= shapes


def test_every_topic_is_a_claim_of_its_own() -> None:
    assert {topic.claim for topic in TOPICS} <= {claim.id for claim in claims.DEPTH}
    assert {topic.claim for topic in CONTROL} == {claim.id for claim in claims.CONTROL}
    every = [claim.id for claim in (*claims.HOMEWORK, *claims.DEPTH, *claims.CONTROL)]
    assert len(set(every)) == len(every)


def test_names_are_the_same_every_time_and_many() -> None:
    drawn = [name("chat.remembers", number) for number in range(1, 200)]
    assert drawn == [name("chat.remembers", number) for number in range(1, 200)]
    assert set(drawn) == set(NAMES)


@pytest.mark.parametrize("wording", [*WORDS_ZH, *WORDS_EN])
def test_a_word_problem_asks_for_what_is_computed(wording: tuple[str, Callable[..., Calls]]) -> None:
    text, steps = wording
    for seed in range(DRAWN):
        question = _words((wording,))(Random(seed))
        numbers = [int(found) for found in re.findall(r"\d+", question.text)]
        assert all(is_held_out(number) for number in numbers)
        assert question.text == text.format(**dict(zip("abc", numbers, strict=False)))
        assert question.expected.calls == steps(*numbers)
        assert question.expected.final == execute(Call("last", steps(*numbers)[-1][0], operands(steps(*numbers)[-1])))


def test_a_question_that_names_its_own_answer_is_drawn_again() -> None:
    naming, open_ = (Question(text, Expected((("add", 1, 1),), final=2)) for text in ("1+1=2", "1+1"))
    source: Any = [naming, naming, open_, naming]
    assert _until_open(lambda rest: rest.pop(0))(source) is open_  # type: ignore[attr-defined]
    assert source == [naming]
