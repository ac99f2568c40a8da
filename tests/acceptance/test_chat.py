"""基础任务一 / First task: one conversation with the model, a story about a fox and a watermelon."""

import pytest

from fixtures.client import Answer
from fixtures.measurement import Measure
from fixtures.reply import chinese_share, excerpt, loop, special_tokens

pytestmark = pytest.mark.gpu

LEAST_CHINESE = 0.8
"""Share of Chinese among the letters: a Chinese story may name a Tom, and not be half English."""

LEAST_CHARACTERS = 50
"""A story; the homework's own screenshot shows several hundred characters."""


@pytest.mark.claim("chat.replies_in_chinese")
def test_the_reply_is_a_story_in_chinese(story: Answer, measure: Measure) -> None:
    """Asked in Chinese, the model tells its story in Chinese."""
    measure("Chinese share of letters", round(chinese_share(story.text), 3), limit=f">= {LEAST_CHINESE}")
    measure("length", len(story.text), "characters", f">= {LEAST_CHARACTERS}")
    assert chinese_share(story.text) >= LEAST_CHINESE, excerpt(story.text)
    assert len(story.text) >= LEAST_CHARACTERS, excerpt(story.text)


@pytest.mark.claim("chat.tells_of_fox_and_watermelon")
def test_the_story_is_about_a_fox_and_a_watermelon(story: Answer, measure: Measure) -> None:
    """Both heroes of the prompt appear."""
    found = [word for word in ("狐狸", "西瓜") if word in story.text]
    measure("heroes", "、".join(found) or "none", limit="狐狸、西瓜")
    assert found == ["狐狸", "西瓜"], excerpt(story.text)


@pytest.mark.claim("chat.ends_by_itself")
def test_the_reply_ends_by_itself(story: Answer, measure: Measure) -> None:
    """The model stops because it is done, not because it was cut off."""
    measure("finish_reason", story.finish_reason or "null", limit="stop")
    assert story.finish_reason == "stop", excerpt(story.text)


@pytest.mark.claim("chat.leaks_no_special_token")
def test_the_reply_leaks_no_special_token(story: Answer, measure: Measure) -> None:
    """No `<|im_end|>` and the like in what the reader sees."""
    leaked = special_tokens(story.text)
    measure("special tokens", " ".join(leaked) or "none", limit="none")
    assert story.text, "the reply is empty"
    assert not leaked, f"{len(leaked)} special tokens: {excerpt(' '.join(leaked))}"


@pytest.mark.claim("chat.does_not_loop")
def test_the_reply_does_not_loop(story: Answer, measure: Measure) -> None:
    """Quantization damage often shows as a phrase repeated without end."""
    repeated = loop(story.text)
    measure("repeated passage", repeated or "none", limit="none")
    assert story.text, "the reply is empty"
    assert repeated is None
