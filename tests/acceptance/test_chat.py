"""基础任务一 / First task: one conversation with the model, a story about a fox and a watermelon."""

import pytest

from fixtures.ask.story import MAX_TOKENS
from fixtures.client.answer import Answer
from fixtures.judge.ending import SHOWN, ended_fault
from fixtures.judge.fluency import chinese_fault, fluency, least_fluency
from fixtures.judge.language import LEAST_CHARACTERS, LEAST_CHINESE, chinese_share
from fixtures.judge.repetition import MOST_REPEATED, loop_fault, repeated_share
from fixtures.judge.special_tokens import leak_fault, traces
from fixtures.judge.story import FEWEST_TOLD, HEROES, story_fault, told
from fixtures.run.claims import claim
from fixtures.run.measurement import Measure, assert_no_fault

pytestmark = pytest.mark.gpu


@claim("chat.replies_in_chinese", part="chat", zh="模型用中文回复", en="The model replies in Chinese")
def test_the_reply_is_a_story_in_chinese(story: Answer, measure: Measure) -> None:
    """Asked in Chinese, the model tells its story in Chinese letters that follow one another as in Chinese."""
    measure("chinese_share_of_letters", round(chinese_share(story.text), 3), at_least=LEAST_CHINESE)
    measure("characters", len(story.text), at_least=LEAST_CHARACTERS)
    if (score := fluency(story.text)) is not None:
        measure("fluency", round(score, 2), at_least=least_fluency(story.text))
    assert_no_fault(chinese_fault(story.text))


@claim(
    "chat.tells_of_fox_and_watermelon",
    part="chat",
    zh="故事讲的是狐狸和西瓜",
    en="The story is about a fox and a watermelon",
)
def test_the_story_is_about_a_fox_and_a_watermelon(story: Answer, measure: Measure) -> None:
    """Both heroes of the prompt appear in what is told, and something is told."""
    measure("heroes", [hero for hero in HEROES if hero in story.text], expected=list(HEROES))
    measure("sentences_told", len(told(story.text)), at_least=FEWEST_TOLD)
    assert_no_fault(story_fault(story.text))


@claim("chat.ends_by_itself", part="chat", zh="回复自然结束，没有被截断", en="The reply ends by itself")
def test_the_reply_ends_by_itself(story: Answer, measure: Measure) -> None:
    """The model stops because its story is done, not because it was cut off, whatever its finish reason says."""
    measure("finish_reason", story.finish_reason or "null", expected="stop")
    measure("last_words", story.text.rstrip()[-SHOWN:])
    assert_no_fault(ended_fault(story, MAX_TOKENS))


@claim("chat.leaks_no_special_token", part="chat", zh="回复中没有泄漏特殊 token", en="The reply leaks no special token")
def test_the_reply_leaks_no_special_token(story: Answer, measure: Measure) -> None:
    """No `<|im_end|>` and the like in the story that the reader sees, none of the model's own tokens, no raw bytes."""
    measure("special_tokens", traces(story.text, story.special_tokens), expected=[])
    assert_no_fault(leak_fault(story.text, story.special_tokens))


@claim("chat.does_not_loop", part="chat", zh="回复没有循环重复", en="The reply does not loop")
def test_the_reply_does_not_loop(story: Answer, measure: Measure) -> None:
    """Quantization damage often shows as a phrase repeated without end, instead of a story that ends."""
    measure("repeated_share", round(repeated_share(story.text), 2), at_most=MOST_REPEATED)
    assert_no_fault(loop_fault(story.text))
