"""Perplexity and its ratio, against figures worked out by hand; the fixed text and its prompts."""

import math
from collections.abc import Sequence

import pytest

from tests.acceptance.quality.limits import PROMPTS
from tests.acceptance.quality.passages import PARTS, Passage, fingerprint, passages, prompts, tokens
from tests.acceptance.quality.result import Scored, mean_loss, perplexity, ratio

FINGERPRINT = "a85efad7dae3fc48"
"""Of the committed text. A changed character makes older figures incomparable: change this line on purpose."""


def test_every_token_counts_alike() -> None:
    """One token at 4 nats and three at 0: not the mean of the passages, which would be 2."""
    assert mean_loss([Scored(4.0, 1), Scored(0.0, 3)]) == 1.0
    assert perplexity([Scored(4.0, 1), Scored(0.0, 3)]) == pytest.approx(math.e)
    with pytest.raises(ValueError, match="a token to predict"):
        perplexity([])
    before, after = [Scored(2.0, 100), Scored(3.0, 300)], [Scored(2.1, 100), Scored(3.02, 300)]
    assert ratio(before, after).value == pytest.approx(perplexity(after) / perplexity(before))


def test_hard_passages_do_not_widen_the_interval() -> None:
    """The same change everywhere: no spread, however different the passages are."""
    before = [Scored(1.0, 100), Scored(9.0, 100), Scored(4.0, 100)]
    found = ratio(before, [Scored(one.loss + 0.05, one.tokens) for one in before])
    assert found.interval.lower == pytest.approx(found.value) == pytest.approx(math.exp(0.05))
    assert found.interval.upper == pytest.approx(found.value)


def test_interval_is_students_of_the_changes() -> None:
    """Equal lengths: mean 0.02 and standard error 0.01 / sqrt(4), with t(3) = 3.1824."""
    changes = (0.02 - 0.01 * 1.5**0.5, 0.02 + 0.01 * 1.5**0.5, 0.02, 0.02)
    found = ratio([Scored(1.0, 50)] * 4, [Scored(1.0 + change, 50) for change in changes])
    assert math.log(found.interval.upper) == pytest.approx(0.02 + 3.1824 * 0.01 / 2, rel=1e-3)
    assert math.log(found.interval.lower) == pytest.approx(0.02 - 3.1824 * 0.01 / 2, rel=1e-3)


@pytest.mark.parametrize("other", [[Scored(1.0, 10)], [Scored(1.0, 10), Scored(1.0, 11)]], ids=["fewer", "longer"])
def test_other_passages_are_no_pairs(other: list[Scored]) -> None:
    with pytest.raises(ValueError, match="no pairs"):
        ratio([Scored(1.0, 10), Scored(1.0, 10)], other)


def cut(texts: Sequence[str], bos: bool) -> list[list[int]]:
    """A tokenizer of bytes, with 0 as the beginning of sequence."""
    return [[0] * bos + list(text.encode()) for text in texts]


def test_text_is_the_committed_one_and_each_passage_has_room_for_its_prompts() -> None:
    assert fingerprint() == FINGERPRINT
    assert {passage.part for passage in passages()} == set(PARTS)
    for passage in passages():
        whole = tokens(passage, cut)
        assert bytes(whole.ids[1:]).decode() == "".join(passage.segments)
        found = prompts(whole, PROMPTS)
        assert len(found) == PROMPTS
        for prompt in found:
            assert whole.ids[: len(prompt.ids) + 1] == (*prompt.ids, prompt.following)
            assert len(prompt.ids) >= len(whole.ids) / 4


def test_dialogue_is_asked_for_the_assistants_words_alone() -> None:
    dialogue = next(passage for passage in passages() if passage.part == "dialogues")
    spoken = [segment for segment, asked in zip(dialogue.segments, dialogue.asked, strict=True) if asked]
    assert len(spoken) >= 3
    assert all(segment.endswith("<|im_end|>") and "<|im_start|>" not in segment for segment in spoken)
    for prompt in prompts(tokens(dialogue, cut), PROMPTS):
        before = bytes(prompt.ids[1:]).decode()
        assert before.rindex("<|im_start|>assistant\n") == before.rindex("<|im_start|>")


def test_prompts_are_spread_evenly_and_a_short_passage_has_fewer() -> None:
    whole = tokens(Passage("prose-zh", ("x" * 399,), (True,)), cut)
    assert [len(prompt.ids) for prompt in prompts(whole, 4)] == [100, 175, 250, 325]
    short = tokens(Passage("prose-zh", ("xxx",), (True,)), cut)
    assert [len(prompt.ids) for prompt in prompts(short, PROMPTS)] == [1, 2, 3]
