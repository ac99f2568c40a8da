"""The fixed text and the prompts that are cut from it."""

import pytest

from tests.acceptance.quality.limits import PROMPTS
from tests.acceptance.quality.passages import PARTS, Passage, fingerprint, passages, prompts, tokens

FINGERPRINT = "a85efad7dae3fc48"
"""Of the committed text. A changed character makes older figures incomparable: change this line on purpose."""


def bytes_of(passage: Passage) -> list[list[int]]:
    """A tokenizer of bytes, with 0 as the beginning of sequence."""
    first, *others = (list(segment.encode()) for segment in passage.segments)
    return [[0, *first], *others]


def test_the_text_is_the_committed_one() -> None:
    assert fingerprint() == FINGERPRINT


def test_every_part_has_passages_and_each_has_room_for_its_prompts() -> None:
    found = passages()
    assert {passage.part for passage in found} == {part.id for part in PARTS}
    for passage in found:
        assert len(prompts(tokens(passage, bytes_of(passage)), PROMPTS)) == PROMPTS


@pytest.mark.parametrize("passage", passages(), ids=lambda passage: passage.segments[0][:12].encode().hex())
def test_segments_put_together_are_the_passage(passage: Passage) -> None:
    whole = tokens(passage, bytes_of(passage))
    assert bytes(whole.ids[1:]).decode() == "".join(passage.segments)


def test_a_dialogue_is_asked_for_the_assistants_words_alone() -> None:
    dialogue = next(passage for passage in passages() if passage.part == "dialogues")
    spoken = [segment for segment, asked in zip(dialogue.segments, dialogue.asked, strict=True) if asked]
    assert len(spoken) >= 3
    assert all(segment.endswith("<|im_end|>") and "<|im_start|>" not in segment for segment in spoken)
    for prompt in prompts(tokens(dialogue, bytes_of(dialogue)), PROMPTS):
        before = bytes(prompt.ids[1:]).decode()
        assert "<|im_start|>" in before
        assert before.rindex("<|im_start|>assistant\n") == before.rindex("<|im_start|>")


def test_a_prompt_goes_up_to_the_token_that_follows() -> None:
    passage = next(iter(passages()))
    whole = tokens(passage, bytes_of(passage))
    for prompt in prompts(whole, PROMPTS):
        assert whole.ids[: len(prompt.ids)] == prompt.ids
        assert whole.ids[len(prompt.ids)] == prompt.following
        assert len(prompt.ids) >= len(whole.ids) / 4


def test_prompts_are_spread_evenly() -> None:
    whole = tokens(Passage("prose-zh", True, ("x" * 400,), (True,)), [[0] * 400])
    assert [len(prompt.ids) for prompt in prompts(whole, 4)] == [100, 175, 250, 325]


def test_a_short_passage_has_fewer_prompts() -> None:
    whole = tokens(Passage("prose-zh", True, ("xxxx",), (True,)), [[0, 1, 2, 3]])
    assert [len(prompt.ids) for prompt in prompts(whole, PROMPTS)] == [1, 2, 3]
