"""Questions: deterministic, and such that an echo of the question is no answer."""

import re
from random import Random
from typing import Any

import pytest

from fixtures.ask.held_out import is_held_out
from fixtures.ask.questions import WORDS_EN, WORDS_ZH, Question, Topic, Wording, add, chain, multiply, words
from fixtures.judge.tool_calls import Expected

DRAWN = 60


@pytest.mark.parametrize("draw", [add, multiply, chain, words(WORDS_ZH), words(WORDS_EN)])
def test_questions_are_the_same_every_time_and_do_not_name_their_answer(draw: Any) -> None:
    drawn = [Topic(draw).question("some", number) for number in range(1, DRAWN)]
    assert drawn == [Topic(draw).question("some", number) for number in range(1, DRAWN)]
    assert len({question.text for question in drawn}) > DRAWN / 2
    assert drawn != [Topic(draw).question("other", number) for number in range(1, DRAWN)]
    assert not [one for one in drawn if str(one.expected.final) in re.findall(r"-?\d+", one.text)]


def test_question_that_names_its_own_answer_is_drawn_again() -> None:
    naming, open_ = (Question(text, Expected((("add", 1, 1),), final=2)) for text in ("1+1=2", "1+1"))
    source = [naming, naming, open_, naming]
    assert Topic(lambda _: source.pop(0)).question("some", 1) is open_
    assert source == [naming]


@pytest.mark.parametrize("number", range(1, 20))
def test_chain_is_the_homeworks_with_numbers_that_training_never_saw(number: int) -> None:
    question = Topic(chain).question("tools.chain_trials", number)
    a, b, c = map(int, re.findall(r"\d+", question.text))
    assert question.expected == Expected((("add", a, b), ("mul", a + b, c)), final=(a + b) * c)
    assert all(map(is_held_out, (a, b, c)))


@pytest.mark.parametrize("wording", [*WORDS_ZH, *WORDS_EN])
def test_word_problem_asks_for_what_is_computed(wording: Wording) -> None:
    text, steps = wording
    for seed in range(DRAWN):
        question = words((wording,))(Random(seed))
        numbers = [int(found) for found in re.findall(r"\d+", question.text)]
        assert question.text == text.format(**dict(zip("abc", numbers, strict=False)))
        assert question.expected.calls == steps(*numbers)
