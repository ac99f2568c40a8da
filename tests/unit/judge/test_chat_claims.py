"""The chat's claims in depth, each with an answer that breaks it."""

from typing import Any

import pytest
from fixtures.judge.chat import (
    LEAST_CHARACTERS,
    LEAST_CHINESE,
    LONGEST_TOKEN,
    chinese_fault,
    cut_fault,
    difference,
    ended_fault,
    ending_fault,
    heroes_fault,
    leak_fault,
    loop_fault,
    prompt_growth_fault,
    recall_fault,
    refusal_fault,
    stop_fault,
    story_fault,
)

from fixtures.client.client import Answer
from fixtures.evidence.events import Exchanged
from tests.unit.answers import answer

STORY = (
    "从前，森林边上住着一只狐狸，它最喜欢的水果就是西瓜。一天早上，太阳刚刚升起，狐狸在菜园里看见一个圆圆的西瓜，"
    "高兴得跳了起来。可是西瓜太重了，它推了半天也推不动，只好坐在地上想办法。"
)


def test_a_story_has_no_fault() -> None:
    assert story_fault(answer(STORY)) == ""


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (answer(STORY, reason="length"), "did not end by itself"),
        (answer(STORY + "<|im_end|>"), "special tokens"),
        (answer(STORY, usage=None), "no usage"),
        (answer("The fox 狐狸 found a watermelon 西瓜 and ate it with its friends."), "of the letters are Chinese"),
        (answer("狐狸吃西瓜。"), "no story"),
        (answer(STORY.replace("西瓜", "苹果")), "no 西瓜"),
        (answer(STORY.replace("狐狸", "兔子")), "no 狐狸"),
        (answer(STORY + "它吃了又吃，吃了又吃。" * 6), "repeats"),
    ],
)
def test_a_bad_story_is_told_by_its_fault(bad: Answer, words: str) -> None:
    assert words in story_fault(bad)


def test_each_claim_of_the_story_has_its_own_fault() -> None:
    assert [chinese_fault(STORY), heroes_fault(STORY), leak_fault(STORY)] == ["", "", ""]
    assert [ended_fault(answer(STORY)), loop_fault(answer(STORY))] == ["", ""]
    assert chinese_fault("The fox 狐狸.").startswith("only 25% of the letters are Chinese")
    assert heroes_fault(STORY.replace("西瓜", "苹果")).startswith("the story has no 西瓜")
    assert "'length', not 'stop'" in ended_fault(answer(STORY, reason="length"))
    assert leak_fault(f"{STORY}<|im_end|>") == "1 special tokens: <|im_end|>"
    assert "repeats '" in loop_fault(answer(STORY + "它吃了又吃。" * 10))


def test_the_least_share_and_the_least_length_are_enough() -> None:
    letters = LEAST_CHARACTERS
    chinese = round(LEAST_CHINESE * letters)
    assert chinese / letters == LEAST_CHINESE
    assert chinese_fault("狐" * chinese + "x" * (letters - chinese)) == ""
    assert "no story" in chinese_fault("狐" * (LEAST_CHARACTERS - 1))
    assert chinese_fault(" \n") == "the reply is empty"


def test_random_words_hold_none_of_them() -> None:
    noise = " w25721 w67485 狐狸 w4912 西瓜"
    faults = [ended_fault(answer(noise)), leak_fault(noise), loop_fault(answer(noise))]
    assert all("no story came in which to look: only" in fault for fault in faults)
    assert "'length'" in loop_fault(answer(STORY, reason="length"))


def test_what_was_told_is_recalled_or_not() -> None:
    assert recall_fault(answer("你叫小明。"), "小明") == ""
    assert "小明 is not in '你叫小红。'" in recall_fault(answer("你叫小红。"), "小明")
    assert "'length'" in recall_fault(answer("你叫小明。", reason="length"), "小明")


@pytest.mark.parametrize("text", ["北京喵", "北京。喵。", "Beijing 喵!\n"])
def test_the_demanded_ending(text: str) -> None:
    assert ending_fault(answer(text), "喵") == ""


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (answer("喵，是北京。"), "does not end in 喵"),
        (answer("喵。"), "nothing but 喵"),
        (answer("。喵"), "nothing but 喵"),
        (answer("狐狸" * 40), repr("狐狸" * 20)),
        (answer("北京喵", reason="length"), "'length'"),
    ],
)
def test_another_ending_is_told(bad: Answer, words: str) -> None:
    assert words in ending_fault(bad, "喵")


def test_a_stop_string_ends_where_it_first_occurs() -> None:
    assert stop_fault("狐狸来了。西瓜熟了。", answer("狐狸来了"), "。") == ""
    long = "狐狸和西瓜的故事从一个晴朗的早晨开始"
    assert stop_fault(f"{long}。完", answer(long), "。") == ""
    assert stop_fault(f"{long}。完", answer(long[:-LONGEST_TOKEN]), "。") == ""
    assert "the reply is" in stop_fault(f"{long}。完", answer(long[: -LONGEST_TOKEN - 1]), "。")


@pytest.mark.parametrize(
    ("whole", "stopped", "words"),
    [
        ("狐狸来了", answer("狐狸来了"), "nothing can be seen"),
        ("狐狸来了。西瓜熟了。", answer("狐狸来了。西瓜熟了。"), "went on after"),
        ("狐狸来了。西瓜熟了。", answer("兔子来了"), "not '狐狸来了'"),
        ("从前有一只很聪明的狐狸来了。", answer("从前"), "not '从前有一只"),
        ("狐狸来了。西瓜熟了。", answer("狐狸来了", reason="length"), "'length'"),
    ],
)
def test_a_stop_string_that_does_not_stop_there_is_told(whole: str, stopped: Answer, words: str) -> None:
    assert words in stop_fault(whole, stopped, "。")


def test_max_tokens_cuts_exactly_and_says_so() -> None:
    assert cut_fault(answer("狐狸", reason="length"), 5) == ""
    assert "'stop'" in cut_fault(answer("狐狸"), 5)
    assert "5 tokens came, asked for were 4" in cut_fault(answer("狐狸", reason="length"), 4)
    assert "no usage" in cut_fault(answer("狐狸", reason="length", usage=None), 5)


def refused(status: int | None, response: Any = "too long", error: str = "") -> Exchanged:
    return Exchanged("test", "/v1/chat/completions", {}, status, response, 0.1, error)


def test_a_refusal_is_a_4xx_that_says_something() -> None:
    assert refusal_fault(refused(400)) == ""
    assert "HTTP 200, not a 4xx" in refusal_fault(refused(200))
    assert "HTTP 500, not a 4xx" in refusal_fault(refused(500))
    assert "no answer: cut" in refusal_fault(refused(None, error="cut"))
    assert "says nothing" in refusal_fault(refused(400, response=""))


def test_a_difference_is_shown_where_it_begins() -> None:
    assert difference("狐狸和西瓜", "狐狸和西瓜") == ""
    assert difference("狐狸和西瓜", "狐狸与西瓜") == "from character 3 on '与西瓜', not '和西瓜'"
    assert "from character 3 on ''" in difference("狐狸和", "狐狸")


def prompt(tokens: int) -> Answer:
    return answer("x", usage={"prompt_tokens": tokens, "completion_tokens": 1, "total_tokens": tokens + 1})


def test_tools_must_make_the_prompt_longer() -> None:
    assert prompt_growth_fault(prompt(20), prompt(160)) == ""
    said = prompt_growth_fault(prompt(20), prompt(20))
    assert "chat template does not show the tools" in said
    assert "chat_template.jinja" in said
    assert prompt_growth_fault(prompt(20), answer("x", usage=None))
    assert "0 tokens with tools and 0 without" in prompt_growth_fault(*[answer("x", usage=None)] * 2)
