"""What holds of any damage to a sound story, and of any way to write a number."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.judge.ending import cut_off_fault
from fixtures.judge.final_answer import HAN_DIGITS, result_fault
from fixtures.judge.fluency import chinese_fault
from fixtures.judge.repetition import loop_fault
from fixtures.judge.special_tokens import special_tokens_fault
from fixtures.judge.story import SENTENCE

STORY = (
    "山坡下住着一只小狐狸，它在瓜田里看见一个圆滚滚的大西瓜，高兴得跳了起来。它伸出爪子推了推，西瓜一动也不动，"
    "狐狸只好坐在地上想办法。老牛从小路上走过来，低下头轻轻一顶，西瓜就骨碌碌地滚到了大树下。"
    "他们把西瓜切成一块一块的，叫来了兔子和刺猬，一边吃一边唱歌。太阳落山的时候，狐狸把最后一块西瓜送给了老牛，"
    "心里比吃了蜜还要甜。从那以后，每年夏天大家都会来到这棵大树下，听狐狸讲西瓜的故事。"
)
OWN = ("<|im_start|>", "<|im_end|>", "</s>", "<extra_7>", "[UNUSED_TOKEN_145]")

PLACES = st.integers(0, len(STORY))
HAN = {value: sign for sign, value in reversed(HAN_DIGITS.items())}

few = settings(max_examples=40, deadline=None, derandomize=True)


@few
@given(token=st.sampled_from(OWN), place=PLACES, blanks=st.booleans(), upper=st.booleans())
def test_own_token_is_found_anywhere_and_in_any_spelling(token: str, place: int, blanks: bool, upper: bool) -> None:
    spelt = token.upper() if upper else token
    spelt = f"{spelt[:-1]} {spelt[-1]}" if blanks else spelt
    assert special_tokens_fault(STORY[:place] + spelt + STORY[place:], OWN)


@few
@given(seed=st.integers())
def test_characters_in_another_order_are_not_accepted(seed: int) -> None:
    assert chinese_fault("".join(Random(seed).sample(STORY, len(STORY))))


@few
@given(number=st.integers(0, len(SENTENCE.findall(STORY)) - 1), times=st.integers(20, 200))
def test_sentence_that_comes_without_end_is_a_loop(number: int, times: int) -> None:
    sentences = SENTENCE.findall(STORY)
    assert loop_fault("".join([*sentences[:number], sentences[number] * times, *sentences[number + 1 :]]))


@few
@given(place=st.integers(1, len(STORY) - 1))
def test_story_is_cut_off_wherever_no_sentence_ends(place: int) -> None:
    assert bool(cut_off_fault(STORY[:place])) == (STORY[place - 1] != "。")


@few
@given(result=st.integers(-99_999, 99_999), written=st.sampled_from(["{}", "{}.0", "**{}**", "{:,}", "结果是 {}。"]))
def test_result_is_read_however_it_is_written(result: int, written: str) -> None:
    assert result_fault(written.format(result), result, ()) is None


@few
@given(result=st.integers(11, 99))
def test_result_is_read_in_chinese_and_full_width(result: int) -> None:
    tens, ones = divmod(result, 10)
    chinese = ("" if tens == 1 else HAN[tens]) + "十" + (HAN[ones] if ones else "")
    full_width = "".join(chr(ord(digit) + 0xFEE0) for digit in str(result))
    assert result_fault(f"答案是{chinese}。", result, ()) is None
    assert result_fault(full_width, result, ()) is None


@few
@given(result=st.integers(11, 99_999), off=st.integers(1, 99_999))
def test_other_number_is_never_the_result(result: int, off: int) -> None:
    assert result_fault(f"The result is {result + off}.", result, ())
    assert result_fault(f"The result is {result}.{off}5", result, ())
    assert result_fault(f"The result is -{result}", result, ())
