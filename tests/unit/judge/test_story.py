"""Language, story, special tokens, repetition and endings: each with a reply that breaks it."""

from __future__ import annotations

from random import Random
from time import process_time

import pytest

from fixtures.client.answer import Answer
from fixtures.judge.ending import LONGEST_TOKEN, cut_fault, ended_fault, last_word_fault, stop_fault
from fixtures.judge.language import LEAST_CHARACTERS, LEAST_CHINESE, chinese_fault, chinese_share, excerpt
from fixtures.judge.repetition import difference_fault, loop, loop_fault, same_again_fault
from fixtures.judge.special_tokens import leak_fault, special_tokens
from fixtures.judge.story import heroes_fault, story_fault
from tests.unit.answers import answer, fault_id

STORY = (
    "从前，森林边上住着一只狐狸，它最喜欢的水果就是西瓜。一天早上，太阳刚刚升起，狐狸在菜园里看见一个圆圆的西瓜，"
    "高兴得跳了起来。可是西瓜太重了，它推了半天也推不动，只好坐在地上想办法。"
)


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (answer(STORY), ""),
        (answer(STORY, reason="length"), "finish_reason"),
        (answer(STORY + "<|im_end|>"), "special_tokens"),
        (answer(STORY, usage=None), "no_usage"),
        (answer("The fox 狐狸 found a watermelon 西瓜 and ate it with its friends."), "not_chinese"),
        (answer("狐狸吃西瓜。"), "short"),
        (answer(STORY.replace("西瓜", "苹果")), "no_hero"),
        (answer(STORY.replace("狐狸", "兔子")), "no_hero"),
        (answer(STORY + "它吃了又吃，吃了又吃。" * 6), "repeats"),
    ],
)
def test_story_has_the_fault(given: Answer, fault: str) -> None:
    assert fault_id(story_fault(given)) == fault


def test_each_claim_of_the_story_has_its_own_fault() -> None:
    assert [chinese_fault(STORY), heroes_fault(STORY), leak_fault(STORY)] == [None] * 3
    assert [ended_fault(answer(STORY)), loop_fault(answer(STORY))] == [None] * 2
    missing = heroes_fault(STORY.replace("西瓜", "苹果"))
    assert missing is not None
    assert missing.fields["missing"] == ["西瓜"]
    cut = answer(STORY, reason="length")
    faults = [ended_fault(cut), loop_fault(cut), leak_fault(f"{STORY}<|im_end|>")]
    assert [fault_id(fault) for fault in faults] == ["finish_reason", "finish_reason", "special_tokens"]


def test_least_share_and_least_length_are_enough() -> None:
    chinese = round(LEAST_CHINESE * LEAST_CHARACTERS)
    assert chinese_fault("狐" * chinese + "x" * (LEAST_CHARACTERS - chinese)) is None
    assert fault_id(chinese_fault("狐" * (LEAST_CHARACTERS - 1))) == "short"
    assert fault_id(chinese_fault(" \n")) == "empty_reply"


def test_random_words_pass_none_of_the_claims() -> None:
    noise = " w25721 w67485 狐狸 w4912 西瓜"
    faults = [ended_fault(answer(noise)), leak_fault(noise), loop_fault(answer(noise))]
    assert [fault_id(fault) for fault in faults] == ["no_story"] * 3


def test_chinese_share_counts_letters_only() -> None:
    shares = {"狐狸吃西瓜。": 1.0, "The fox eats.": 0.0, "Tom是狐狸": 0.5, "": 0.0, "123 !?。": 0.0}
    assert {text: chinese_share(text) for text in shares} == shares


def test_leaked_special_tokens_are_found_and_plain_signs_are_not() -> None:
    tokens = ["<|im_end|>", "<|action_start|>", "<s>", "</s>", "[UNUSED_TOKEN_145]", "\ufffd"]
    assert special_tokens("狐狸".join(tokens)) == tokens
    assert special_tokens("a < b | c > d <p> 3 <|> 4 [unused]") == []


@pytest.mark.parametrize(
    ("text", "passage"),
    [
        ("从前有一只狐狸。" * 6, "从前有一只狐狸。"),
        ("开始" + "好" * 40, "好"),
        ("Once upon a time. " + "The fox ran. " * 5, ". The fox ran"),
        ("西瓜\n" * 30, "西瓜\n"),
        # A shorter repetition before the longer one hides it from a regular expression, which goes on behind it.
        ("b" * 7 + "aa cc " + "bbbbaa cc " * 3, "bbbbaa cc "),
        ("\ud800好 " * 20, "\ud800好 "),
    ],
)
def test_loop_is_found(text: str, passage: str) -> None:
    assert loop(text) == passage


@pytest.mark.parametrize(
    "text",
    [
        "等啊等，等啊等，等啊等，西瓜终于熟了。",
        "-" * 3,
        "太阳慢慢地落到山的后面去了，狐狸还没有找到那个西瓜。" * 3,
        "",
        " " * 200,
        # The most repetitive lines of verse that came to mind.
        "采采芣苢，薄言采之。采采芣苢，薄言有之。采采芣苢，薄言掇之。采采芣苢，薄言捋之。采采芣苢，薄言袺之。",
        "寻寻觅觅，冷冷清清，凄凄惨惨戚戚。",
        "在我的后园，可以看见墙外有两株树，一株是枣树，还有一株也是枣树。",
        "Thou'lt come no more, Never, never, never, never, never!",
        "Row, row, row your boat, gently down the stream. Merrily, merrily, merrily, merrily, life is but a dream.",
    ],
)
def test_prose_is_no_loop(text: str) -> None:
    assert loop(text) is None


def test_reply_that_never_stops_is_looked_at_in_no_time() -> None:
    """2048 tokens of random words; a search that tries every end for every beginning takes several seconds."""
    rng = Random(1)
    text = "".join(chr(rng.choice([rng.randrange(0x4E00, 0x9FFF), rng.randrange(97, 123), 32])) for _ in range(12_000))
    began = process_time()
    assert loop(text) is None
    assert process_time() - began < 1


def test_excerpt_keeps_both_ends() -> None:
    whole = "头" * 100 + "尾" * 100
    assert excerpt(whole) == whole
    assert excerpt(f"{whole}。") == f"{'头' * 100} [...] {'尾' * 99}。"


def test_difference_is_told_from_its_first_character() -> None:
    assert difference_fault("狐狸和西瓜", "狐狸和西瓜") is None
    for found, shown in (("狐狸与西瓜", "与西瓜"), ("狐狸", "")):
        fault = difference_fault("狐狸和西瓜", found)
        assert fault is not None
        assert (fault.fields["at"], fault.fields["found"], fault.fields["expected"]) == (3, shown, "和西瓜")


def test_answers_that_repeat_must_say_something() -> None:
    assert same_again_fault("1, 2", ["1, 2", "1, 2"]) is None
    assert fault_id(same_again_fault("1, 2", ["1, 2", "1, 3"])) == "differs"
    assert fault_id(same_again_fault("", ["", ""])) == "empty_reply"


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (answer("北京喵"), ""),
        (answer("北京。喵。"), ""),
        (answer("Beijing 喵!\n"), ""),
        (answer("喵，是北京。"), "other_ending"),
        (answer("喵。"), "only_ending"),
        (answer("。喵"), "only_ending"),
        (answer("北京喵", reason="length"), "finish_reason"),
    ],
)
def test_demanded_last_word(given: Answer, fault: str) -> None:
    assert fault_id(last_word_fault(given, "喵")) == fault


LONG = "狐狸和西瓜的故事从一个晴朗的早晨开始"


@pytest.mark.parametrize(
    ("whole", "stopped", "fault"),
    [
        ("狐狸来了。西瓜熟了。", answer("狐狸来了"), ""),
        (f"{LONG}。完", answer(LONG[:-LONGEST_TOKEN]), ""),
        (f"{LONG}。完", answer(LONG[: -LONGEST_TOKEN - 1]), "stopped_elsewhere"),
        ("狐狸来了", answer("狐狸来了"), "no_stop_string"),
        ("狐狸来了。西瓜熟了。", answer("狐狸来了。西瓜熟了。"), "went_on"),
        ("狐狸来了。西瓜熟了。", answer("兔子来了"), "stopped_elsewhere"),
        ("狐狸来了。西瓜熟了。", answer("狐狸来了", reason="length"), "finish_reason"),
    ],
)
def test_stop_string_ends_where_it_first_occurs(whole: str, stopped: Answer, fault: str) -> None:
    assert fault_id(stop_fault(whole, stopped, "。")) == fault


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (answer("狐狸", reason="length"), ""),
        (answer("狐狸"), "finish_reason"),
        (answer("狐狸", reason="length", usage=None), "no_usage"),
        (
            answer("狐", reason="length", usage={"prompt_tokens": 1, "completion_tokens": 4, "total_tokens": 5}),
            "token_count",
        ),
    ],
)
def test_max_tokens_cuts_exactly_and_says_so(given: Answer, fault: str) -> None:
    assert fault_id(cut_fault(given, 5)) == fault
