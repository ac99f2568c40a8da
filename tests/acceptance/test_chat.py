"""基础任务一 / First task: one conversation with the model, a story about a fox and a watermelon."""

import pytest

from fixtures.client.answer import Answer
from fixtures.judge.ending import ended_fault
from fixtures.judge.language import LEAST_CHARACTERS, LEAST_CHINESE, chinese_fault, chinese_share
from fixtures.judge.repetition import loop, loop_fault
from fixtures.judge.special_tokens import leak_fault, special_tokens
from fixtures.judge.story import HEROES, heroes_fault
from fixtures.run.claims import claim
from fixtures.run.measurement import Measure, assert_no_fault

pytestmark = pytest.mark.gpu


@claim("chat.replies_in_chinese", part="chat", zh="模型用中文回复", en="The model replies in Chinese")
def test_the_reply_is_a_story_in_chinese(story: Answer, measure: Measure) -> None:
    """Asked in Chinese, the model tells its story in Chinese."""
    measure("chinese_share_of_letters", round(chinese_share(story.text), 3), at_least=LEAST_CHINESE)
    measure("characters", len(story.text), at_least=LEAST_CHARACTERS)
    assert_no_fault(chinese_fault(story.text))


@claim(
    "chat.tells_of_fox_and_watermelon",
    part="chat",
    zh="故事讲的是狐狸和西瓜",
    en="The story is about a fox and a watermelon",
)
def test_the_story_is_about_a_fox_and_a_watermelon(story: Answer, measure: Measure) -> None:
    """Both heroes of the prompt appear."""
    measure("heroes", [hero for hero in HEROES if hero in story.text], expected=list(HEROES))
    assert_no_fault(heroes_fault(story.text))


@claim("chat.ends_by_itself", part="chat", zh="回复自然结束，没有被截断", en="The reply ends by itself")
def test_the_reply_ends_by_itself(story: Answer, measure: Measure) -> None:
    """The model stops because its story is done, not because it was cut off."""
    measure("finish_reason", story.finish_reason or "null", expected="stop")
    assert_no_fault(ended_fault(story))


@claim("chat.leaks_no_special_token", part="chat", zh="回复中没有泄漏特殊 token", en="The reply leaks no special token")
def test_the_reply_leaks_no_special_token(story: Answer, measure: Measure) -> None:
    """No `<|im_end|>` and the like in the story that the reader sees."""
    measure("special_tokens", special_tokens(story.text), expected=[])
    assert_no_fault(leak_fault(story.text))


@claim("chat.does_not_loop", part="chat", zh="回复没有循环重复", en="The reply does not loop")
def test_the_reply_does_not_loop(story: Answer, measure: Measure) -> None:
    """Quantization damage often shows as a phrase repeated without end, instead of a story that ends."""
    measure("repeated_passage", loop(story.text) or [], expected=[])
    assert_no_fault(loop_fault(story))
