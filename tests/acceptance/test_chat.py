"""基础任务一 / First task: one conversation with the model, a story about a fox and a watermelon."""

import pytest

from fixtures.client.client import Answer
from fixtures.judge.chat import (
    HEROES,
    LEAST_CHARACTERS,
    LEAST_CHINESE,
    chinese_fault,
    ended_fault,
    heroes_fault,
    leak_fault,
    loop_fault,
)
from fixtures.judge.reply import chinese_share, loop, special_tokens
from fixtures.run.claims import claim
from fixtures.run.measurement import Measure

pytestmark = pytest.mark.gpu


@claim(
    "chat.replies_in_chinese",
    part="chat",
    zh="模型用中文回复",
    en="The model replies in Chinese",
)
def test_the_reply_is_a_story_in_chinese(story: Answer, measure: Measure) -> None:
    """Asked in Chinese, the model tells its story in Chinese."""
    measure("chinese_share_of_letters", round(chinese_share(story.text), 3), limit=f">= {LEAST_CHINESE}")
    measure("length", len(story.text), "characters", f">= {LEAST_CHARACTERS}")
    fault = chinese_fault(story.text)
    assert not fault, fault


@claim(
    "chat.tells_of_fox_and_watermelon",
    part="chat",
    zh="故事讲的是狐狸和西瓜",
    en="The story is about a fox and a watermelon",
)
def test_the_story_is_about_a_fox_and_a_watermelon(story: Answer, measure: Measure) -> None:
    """Both heroes of the prompt appear."""
    found = [hero for hero in HEROES if hero in story.text]
    measure("heroes", "、".join(found) or "none", limit="、".join(HEROES))
    fault = heroes_fault(story.text)
    assert not fault, fault


@claim(
    "chat.ends_by_itself",
    part="chat",
    zh="回复自然结束，没有被截断",
    en="The reply ends by itself",
)
def test_the_reply_ends_by_itself(story: Answer, measure: Measure) -> None:
    """The model stops because its story is done, not because it was cut off."""
    measure("finish_reason", story.finish_reason or "null", limit="stop")
    fault = ended_fault(story)
    assert not fault, fault


@claim(
    "chat.leaks_no_special_token",
    part="chat",
    zh="回复中没有泄漏特殊 token",
    en="The reply leaks no special token",
)
def test_the_reply_leaks_no_special_token(story: Answer, measure: Measure) -> None:
    """No `<|im_end|>` and the like in the story that the reader sees."""
    measure("special_tokens", " ".join(special_tokens(story.text)) or "none", limit="none")
    fault = leak_fault(story.text)
    assert not fault, fault


@claim(
    "chat.does_not_loop",
    part="chat",
    zh="回复没有循环重复",
    en="The reply does not loop",
)
def test_the_reply_does_not_loop(story: Answer, measure: Measure) -> None:
    """Quantization damage often shows as a phrase repeated without end, instead of a story that ends."""
    measure("repeated_passage", loop(story.text) or "none", limit="none")
    fault = loop_fault(story)
    assert not fault, fault
