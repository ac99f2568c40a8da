"""Replies and answers that break each judgement, and sound ones that come close: `replies.toml` and `answers.toml`."""

from collections.abc import Callable
from functools import partial
from random import Random
from time import process_time
from typing import Any

import pytest

from fixtures.client.answer import Answer
from fixtures.judge import final_answer, tool_calls
from fixtures.judge.ending import LONGEST_TOKEN, cut_fault, cut_off_fault, ended_fault, last_word_fault, stop_fault
from fixtures.judge.envelope import long_prompt_fault, usage_fault
from fixtures.judge.final_answer import final_fault, naming_fault, recall_fault, result_fault
from fixtures.judge.fluency import chinese_fault, fluency, fluency_fault
from fixtures.judge.language import LONGEST, chinese_share, excerpt
from fixtures.judge.repetition import difference_fault, loop_fault, repetition_fault, same_again_fault
from fixtures.judge.special_tokens import leak_fault, special_tokens_fault
from fixtures.judge.story import sample_fault, story_fault, told
from fixtures.judge.tool_calls import calls_fault, forced_fault, no_call_fault, right_call_fault
from fixtures.texts import Message
from tests.unit.answers import answer, fault_id, tool_call
from tests.unit.judge.cases import cases

STORY = (
    "从前，森林边上住着一只狐狸，它最喜欢的水果就是西瓜。一天早上，太阳刚刚升起，狐狸在菜园里看见一个圆圆的西瓜，"
    "高兴得跳了起来。可是西瓜太重了，它推了半天也推不动，只好坐在地上想办法。\n"
    "老牛从旁边经过，听了狐狸的话，就低下头用角轻轻一顶，西瓜骨碌碌地滚到了树下。它们把西瓜切开，分着吃完了。"
)
SHUFFLED = "".join(Random(7).sample(STORY, len(STORY)))
POEM = "狐狸走过小河边\n抱着西瓜笑开颜\n月亮照着青草地\n大家分吃甜又甜"
DAYS = "".join(f"第{day}天，狐狸又到田里看了看那个大西瓜，还是没有熟。\n" for day in range(20))
LONG = "狐狸和西瓜的故事从一个晴朗的早晨开始"

Given = str | dict[str, Any]
Judged = list[tuple[str, str, Given]]

OF_TEXTS: dict[str, Callable[[str], Message | None]] = {
    "chinese": chinese_fault,
    "story": story_fault,
    "special tokens": special_tokens_fault,
    "special tokens behind a story": lambda trace: special_tokens_fault(STORY + trace),
    "the model's own tokens": lambda text: special_tokens_fault(text, ("<tools>", "[ABC_1]")),
    "repetition": repetition_fault,
    "cut off": cut_off_fault,
    "result 31": lambda text: result_fault(text, 31, {7, 4, 28, 3}),
    "result 1234567": lambda text: result_fault(text, 1234567, {5}),
    "result -48": lambda text: result_fault(text, -48, {12, -4}),
    "result 18": lambda text: result_fault(text, 18, {30, -12}),
    "result 136374": lambda text: result_fault(text, 136374, {780, 353, 1133, 238, 573}),
    "result 0": lambda text: result_fault(text, 0, {0, 7}),
    "names 50 and a tool": lambda text: naming_fault(text, ["50"], about=["tool", "工具"]),
    **{f"names {name}": partial(naming_fault, names=[name]) for name in ("16", "-16", "5000", "tool", "工具")},
}
TEXTS: Judged = [
    *cases("replies.toml"),
    ("chinese", "sound", STORY.replace("老牛", "Bobby")),
    ("chinese", "fault.salad", STORY[:60] + "".join(Random(2).sample(STORY * 2, len(STORY)))),
    ("story", "sound", STORY.replace("一只狐狸，它", "我这只狐狸，我").replace("狐狸在", "我在")),
    ("story", "fault.hero_in_heading", "狐狸和西瓜\n\n" + STORY.replace("西瓜", "苹果").replace("狐狸", "兔子")),
    ("story", "fault.data", f'{{"title": "狐狸和西瓜", "text": "{STORY[:60]}"}}'),
    ("special tokens behind a story", "fault.special_tokens", chr(0xD83D)),
    ("special tokens behind a story", "fault.special_tokens", "狐狸很高兴".encode().decode("latin-1")),
    ("special tokens behind a story", "fault.special_tokens", "西瓜".encode().decode("cp1252", "ignore") * 2),
    ("repetition", "sound", STORY + "\n" + "* " * 25 + "\n" + STORY.replace("狐狸", "老虎")[:60]),
    ("repetition", "sound", " " * 90),
    ("repetition", "fault.blank", STORY + "\n" * 150),
    ("repetition", "fault.repeats", "开始" + "好" * 40),
    ("repetition", "fault.repeats", "西瓜\n" * 30),
    ("repetition", "fault.repeats", "\ud800好 " * 20),
    ("repetition", "fault.sentences_again", DAYS),
    ("repetition", "fault.few_characters", "".join(Random(1).choices(("狐狸", "西瓜", "的", "了"), k=80))),
    ("cut off", "fault.breaks_off", STORY[:-3]),
    ("cut off", "fault.breaks_off", STORY[:30] + "，"),
    ("result 31", "fault.other_number", "9" * (final_answer.LONGEST - 1)),
    ("result 31", "fault.final_answer_long", "31 " * final_answer.LONGEST),
]

OF_ANSWERS: dict[str, Callable[[Answer], Message | None]] = {
    "sample": sample_fault,
    "last answer": final_fault,
    "recalled 小明": partial(recall_fault, told="小明"),
    "last word 喵": partial(last_word_fault, word="喵"),
    "stopped at 。": lambda given: stop_fault("狐狸来了。西瓜熟了。", given, "。"),
    "stopped at 。, in a long text": lambda given: stop_fault(f"{LONG}。完", given, "。"),
    "stopped at what never came": lambda given: stop_fault("狐狸来了", given, "。"),
    "cut at 5 tokens": partial(cut_fault, max_tokens=5),
    "ended before 64 tokens": partial(ended_fault, max_tokens=64),
    "token counts": usage_fault,
    "900 tokens of 1000": partial(long_prompt_fault, wanted=900, context=1000),
    "calls after c0 and 0": partial(calls_fault, seen={"c0", "0"}),
    "calls after 0 where no id comes again": partial(calls_fault, seen={"0"}, unique=True),
    "the call 3+5": partial(right_call_fault, expected=("add", 3, 5)),
    "no call": no_call_fault,
    "some call": forced_fault,
}
ANNOUNCED = "I add first."


def calling(arguments: str, name: str = "add") -> dict[str, Any]:
    return {"calls": [{"id": "x", "type": "function", "function": {"name": name, "arguments": arguments}}]}


ANSWERS: Judged = [
    *cases("answers.toml"),
    ("sample", "fault.no_hero", STORY.replace("西瓜", "苹果")),
    ("sample", "fault.salad", SHUFFLED),
    ("sample", "fault.repeats", STORY + "它吃了又吃，吃了又吃。" * 16),
    ("sample", "fault.breaks_off", STORY[:-12]),
    ("sample", "fault.endless", "狐" * (LONGEST + 1)),
    ("stopped at 。, in a long text", "sound", LONG[:-LONGEST_TOKEN]),
    ("stopped at 。, in a long text", "fault.stopped_elsewhere", LONG[: -LONGEST_TOKEN - 1]),
    ("calls after c0 and 0", "sound", {"text": ANNOUNCED.ljust(300, "!"), "calls": [["add", 3, 5]]}),
    ("calls after c0 and 0", "fault.text_beside_a_call", {"text": ANNOUNCED.ljust(301, "!"), "calls": [["add", 3, 5]]}),
    ("some call", "sound", calling('{"a": 3, "b": 5}'.ljust(tool_calls.LONGEST))),
    ("some call", "fault.long_arguments", calling('{"a": 3, "b": 5}'.ljust(tool_calls.LONGEST + 1))),
    ("some call", "fault.long_arguments", calling("9" * 100_000)),
    ("some call", "fault.arguments_not_json", calling("[" * 1000)),
    ("some call", "fault.tool_not_offered", calling("{}", name="x" * 2000)),
]


def names(judged: Judged) -> list[str]:
    return [f"{judgement}: {fault}" for judgement, fault, _ in judged]


def whole(text: str) -> str:
    return text.replace("{story}", STORY).replace("{poem}", POEM)


@pytest.mark.parametrize(("judgement", "fault", "text"), TEXTS, ids=names(TEXTS))
def test_text_has_the_fault(judgement: str, fault: str, text: str) -> None:
    found = OF_TEXTS[judgement](whole(text))
    assert (found.id if found else "sound") == fault


@pytest.mark.parametrize(("judgement", "fault", "given"), ANSWERS, ids=names(ANSWERS))
def test_answer_has_the_fault_and_it_is_told_in_a_few_words(judgement: str, fault: str, given: Given) -> None:
    said = {"text": given} if isinstance(given, str) else given
    calls = [tool_call(*call) if isinstance(call, list) else call for call in said.get("calls", ())]
    found = OF_ANSWERS[judgement](answer(**{**said, "text": whole(said.get("text", "")), "calls": calls}))
    assert (found.id if found else "sound") == fault
    assert len(str(found)) < 400


def test_random_words_pass_none_of_the_claims() -> None:
    noise = " w25721 w67485 狐狸 w4912 西瓜"
    faults = [ended_fault(answer(noise)), leak_fault(noise), loop_fault(noise), story_fault(noise)]
    assert [fault_id(fault) for fault in faults] == ["no_story"] * 4


def test_latin_word_counts_as_one_letter() -> None:
    shares = {"狐狸吃西瓜。": 1.0, "The fox eats.": 0.0, "Tom是狐狸": 0.75, "きつね狐狸": 0.4, "": 0.0, "123 !?。": 0.0}
    assert {text: chinese_share(text) for text in shares} == shares


def test_fluency_is_not_told_of_a_few_characters() -> None:
    assert fluency("狐狸和西瓜" * 3) is None
    assert fluency_fault(SHUFFLED[:10]) is None


def test_damage_in_the_middle_lowers_the_fluency_of_the_whole() -> None:
    sound, damaged = fluency(STORY * 3), fluency(STORY + SHUFFLED + STORY)
    assert sound is not None
    assert damaged is not None
    assert damaged < -1 < 0 < sound


def test_speech_and_words_to_the_reader_tell_nothing() -> None:
    assert told("“狐狸吃了西瓜，我看见了！”\n请您看看狐狸吃了西瓜的故事。\n**狐狸和西瓜的故事**\n1. 狐狸看见瓜") == []


def test_reply_that_never_stops_is_looked_at_in_no_time() -> None:
    """A search that tries every end for every beginning takes minutes."""
    rng = Random(1)
    text = "".join(chr(rng.choice([rng.randrange(0x4E00, 0x9FFF), rng.randrange(97, 123), 32])) for _ in range(300_000))
    began = process_time()
    for judge in (repetition_fault, special_tokens_fault, story_fault, fluency_fault, cut_off_fault, chinese_share):
        judge(text)
    assert process_time() - began < 2


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
