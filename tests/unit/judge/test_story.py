"""Language, fluency, story, special tokens, repetition and endings: replies that break each, and sound ones that come
close."""

from __future__ import annotations

from random import Random
from time import process_time

import pytest

from fixtures.client.answer import Answer
from fixtures.judge.ending import LONGEST_TOKEN, cut_fault, cut_off_fault, ended_fault, last_word_fault, stop_fault
from fixtures.judge.fluency import chinese_fault, fluency, fluency_fault
from fixtures.judge.language import LONGEST, chinese_share, excerpt
from fixtures.judge.repetition import difference_fault, loop_fault, repetition_fault, same_again_fault
from fixtures.judge.special_tokens import leak_fault, special_tokens_fault
from fixtures.judge.story import sample_fault, story_fault, told
from tests.unit.answers import answer, fault_id

STORY = (
    "从前，森林边上住着一只狐狸，它最喜欢的水果就是西瓜。一天早上，太阳刚刚升起，狐狸在菜园里看见一个圆圆的西瓜，"
    "高兴得跳了起来。可是西瓜太重了，它推了半天也推不动，只好坐在地上想办法。\n"
    "老牛从旁边经过，听了狐狸的话，就低下头用角轻轻一顶，西瓜骨碌碌地滚到了树下。它们把西瓜切开，分着吃完了。"
)
SHUFFLED = "".join(Random(7).sample(STORY, len(STORY)))
POEM = "狐狸走过小河边\n抱着西瓜笑开颜\n月亮照着青草地\n大家分吃甜又甜"


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (answer(STORY), ""),
        (answer(" \n"), "empty_reply"),
        (answer(STORY, reason="length"), "finish_reason"),
        (answer(STORY + "<|im_end|>"), "special_tokens"),
        (answer(STORY, usage=None), "no_usage"),
        (answer("The fox 狐狸 found a watermelon 西瓜 and ate it with its friends."), "not_chinese"),
        (answer("狐狸吃西瓜。"), "short"),
        (answer("从前有只狐狸，它在田里看见一个大西瓜，高兴地抱回家去了。"), "short"),
        (answer(STORY.replace("西瓜", "苹果")), "no_hero"),
        (answer(SHUFFLED), "salad"),
        (answer(STORY + "它吃了又吃，吃了又吃。" * 16), "repeats"),
        (answer(STORY[:-12]), "breaks_off"),
        (answer("狐" * (LONGEST + 1)), "endless"),
    ],
)
def test_sample_has_the_fault(given: Answer, fault: str) -> None:
    assert fault_id(sample_fault(given)) == fault


def test_random_words_pass_none_of_the_claims() -> None:
    noise = " w25721 w67485 狐狸 w4912 西瓜"
    faults = [ended_fault(answer(noise)), leak_fault(noise), loop_fault(noise), story_fault(noise)]
    assert [fault_id(fault) for fault in faults] == ["no_story"] * 4


# Language and fluency


def test_latin_word_counts_as_one_letter() -> None:
    shares = {"狐狸吃西瓜。": 1.0, "The fox eats.": 0.0, "Tom是狐狸": 0.75, "きつね狐狸": 0.4, "": 0.0, "123 !?。": 0.0}
    assert {text: chinese_share(text) for text in shares} == shares


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (STORY.replace("老牛", "Bobby"), ""),
        ("🦊" * 5 + STORY + "🍉" * 5, ""),
        (STORY[:60] + "".join(Random(2).sample(STORY * 2, len(STORY))), "fault.salad"),
        (
            "昔有狐，行于野，见瓜大如斗，欲负而归，力不能胜。乃呼其友，共推之至树下，剖而食之，皆大喜，日暮乃散去矣。",
            "",
        ),
        ("狐狸在田里看见一个大西瓜，它请来老牛帮忙，一起把西瓜搬回了家。", "undecided.short"),
    ],
)
def test_chinese_is_told_from_salad(text: str, fault: str) -> None:
    found = chinese_fault(text)
    assert (found.id if found else "") == fault


def test_fluency_is_not_told_of_a_few_characters() -> None:
    assert fluency("狐狸和西瓜" * 3) is None
    assert fluency_fault(SHUFFLED[:10]) is None


def test_damage_in_the_middle_lowers_the_fluency_of_the_whole() -> None:
    sound, damaged = fluency(STORY * 3), fluency(STORY + SHUFFLED + STORY)
    assert sound is not None
    assert damaged is not None
    assert damaged < -1 < 0 < sound


# A story


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (STORY, ""),
        (f"# 狐狸和西瓜\n\n{STORY}\n\n---\n\n希望你喜欢这个故事！", ""),
        (f"好的，下面是一个故事：\n{STORY}", ""),
        (STORY.replace("一只狐狸，它", "我这只狐狸，我").replace("狐狸在", "我在"), ""),
        (
            "1. 狐狸在山坡下的田里发现了一个很大很大的西瓜。\n2. 它想把西瓜搬回家，可是西瓜太重，怎么也搬不动。\n"
            "3. 老牛看见了，就帮狐狸把西瓜推到了树下，大家一起吃。",
            "",
        ),
        (
            "抱歉，我不能讲狐狸和西瓜的故事，这超出了我能做的事情，请您换一个话题再来问我吧，我会尽力帮助您。",
            "nothing_told",
        ),
        (
            "您想听哪一种狐狸和西瓜的故事呢？是好笑的，还是感人的？请告诉我主角的名字和结局，我就可以为您写。",
            "nothing_told",
        ),
        (
            "一、开端：狐狸找到了西瓜。\n二、发展：西瓜滚下了山。\n三、高潮：狐狸去追西瓜。\n四、结局：大家分享。",
            "nothing_told",
        ),
        (f"狐狸和西瓜\n\n{STORY.replace('西瓜', '苹果').replace('狐狸', '兔子')}", "hero_in_heading"),
        (f'{{"title": "狐狸和西瓜", "text": "{STORY[:60]}"}}', "data"),
        (
            "这是一个讲狐狸和西瓜的寓言，狐狸贪心地抱走了所有西瓜。它告诉人们要懂得分享，不要贪心，要珍惜身边的朋友。",
            "little_told",
        ),
    ],
)
def test_story_tells_something(text: str, fault: str) -> None:
    assert fault_id(story_fault(text)) == fault


def test_speech_and_words_to_the_reader_tell_nothing() -> None:
    assert told("“狐狸吃了西瓜，我看见了！”\n请您看看狐狸吃了西瓜的故事。\n**狐狸和西瓜的故事**\n1. 狐狸看见瓜") == []


# Special tokens


@pytest.mark.parametrize(
    "trace",
    [
        "<|im_end|>", "< | im_end | >", "<|IM_START|>", "<|im_en", "im_end|>", "<s>", "</S>", "< unk >", "<think>",
        "[UNUSED_TOKEN_145]", "[/INST]", "<<SYS>>", "<0xE7>", "▁狐狸", "\ufffd", chr(0xD83D), "锟斤拷", "烫烫烫",
        "\x1b[0m", "\x00", "\u202e", "&#29392;", "&amp;", "\\u72d0", "\nuser\n再讲一个", "\n用户：再讲一个",
        "狐狸很高兴".encode().decode("latin-1"), "西瓜".encode().decode("cp1252", "ignore") * 2,
    ],
)  # fmt: skip
def test_trace_is_found(trace: str) -> None:
    assert fault_id(special_tokens_fault(f"{STORY}{trace}")) == "special_tokens"


@pytest.mark.parametrize(
    "text",
    [
        "a < b | c > d, 3 <|> 4 [unused] [x]",
        "| 角色 | 爱好 |\n| --- | --- |\n| 狐狸 | 西瓜 |\n> 完",
        "Café Zoë naïve São Paulo, 5 °C, £3, “好”—…",
        "用户很多的系统，助手也很多。\nuser 是用户的意思。",
        "👩‍👩‍👧 ❤️ 🍉，它说：“你好~”",
        "* * *\n**粗体**，_斜体_，`代码`，A & B",
    ],
)
def test_plain_signs_are_no_trace(text: str) -> None:
    assert special_tokens_fault(text) is None


@pytest.mark.parametrize(
    ("trace", "found"), [("<tools>", True), ("< Tools >", True), ("[abc_1]", True), ("tools", False)]
)
def test_models_own_tokens_are_found(trace: str, found: bool) -> None:
    assert (special_tokens_fault(STORY + trace, ("<tools>", "[ABC_1]")) is not None) is found
    assert special_tokens_fault(STORY + trace) is None


# Repetition


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("从前有一只狐狸。" * 6, "repeats"),
        ("开始" + "好" * 40, "repeats"),
        (STORY + "\n" * 150, "blank"),
        ("西瓜\n" * 30, "repeats"),
        ("\ud800好 " * 20, "repeats"),
        (f"{STORY}\n\n{STORY}", "sentences_again"),
        ("".join(f"第{day}天，狐狸又到田里看了看那个大西瓜，还是没有熟。\n" for day in range(20)), "sentences_again"),
        ("".join(Random(1).choices(("狐狸", "西瓜", "的", "了"), k=80)), "few_characters"),
    ],
)
def test_repetition_is_found(text: str, fault: str) -> None:
    assert fault_id(repetition_fault(text)) == fault


@pytest.mark.parametrize(
    "text",
    [
        STORY + "咕噜咕噜咕噜咕噜，" * 5 + "西瓜滚下了山。",
        STORY + "“" + "哈" * 50 + "！”大家都笑了。",
        STORY + "\n" + "大西瓜，圆又圆，你一口来我一口！\n" * 4,
        "狐狸和西瓜\n" + "=" * 50 + "\n" + STORY,
        STORY + "\n" + "* " * 25 + "\n" + STORY.replace("狐狸", "老虎")[:60],
        "等啊等，等啊等，等啊等，西瓜终于熟了。",
        "",
        " " * 90,
        "采采芣苢，薄言采之。采采芣苢，薄言有之。采采芣苢，薄言掇之。采采芣苢，薄言捋之。采采芣苢，薄言袺之。",
        "Row, row, row your boat, gently down the stream. Merrily, merrily, merrily, merrily, life is but a dream.",
    ],
)
def test_refrain_is_no_repetition(text: str) -> None:
    assert repetition_fault(text) is None


def test_reply_that_never_stops_is_looked_at_in_no_time() -> None:
    """A search that tries every end for every beginning takes minutes."""
    rng = Random(1)
    text = "".join(chr(rng.choice([rng.randrange(0x4E00, 0x9FFF), rng.randrange(97, 123), 32])) for _ in range(300_000))
    began = process_time()
    for judge in (repetition_fault, special_tokens_fault, story_fault, fluency_fault, cut_off_fault, chinese_share):
        judge(text)
    assert process_time() - began < 2


# Endings


@pytest.mark.parametrize(
    "text",
    [
        STORY, f"**{STORY}**", f"{STORY}🎉", f"{STORY}❤️", f"{STORY}\n\n---", f"{STORY}（完）", f"{STORY}\n故事讲完了",
        f"{STORY}他说：“好！”", POEM, f"{STORY}~", f"{STORY} :)", "",
    ],
)  # fmt: skip
def test_end_of_a_sentence_is_an_end(text: str) -> None:
    assert cut_off_fault(text) is None


@pytest.mark.parametrize(
    "text",
    [STORY[:-3], STORY[:30] + "，", STORY + "\n狐狸说：“", POEM + "，", STORY + "\n1. 狐狸和西瓜的道理是大家要一起"],
)
def test_end_within_a_sentence_is_none(text: str) -> None:
    assert fault_id(cut_off_fault(text)) == "breaks_off"


def test_as_many_tokens_as_were_allowed_are_a_cut() -> None:
    whole = answer(STORY, usage={"prompt_tokens": 1, "completion_tokens": 64, "total_tokens": 65})
    assert fault_id(ended_fault(whole, 64)) == "at_the_limit"
    assert ended_fault(whole, 65) is None


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


# Messages, and answers that ought to be the same


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
