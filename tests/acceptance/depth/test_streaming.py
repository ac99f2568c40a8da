"""Streamed answers: the same as unstreamed ones, call by call and character by character."""

from dataclasses import asdict
from functools import partial

import pytest

from fixtures.ask.questions import GREEDY, Topic, chain
from fixtures.ask.trial_runs import Judged, RunTrials
from fixtures.client.client import Client
from fixtures.client.streaming import Streamed
from fixtures.client.tools import TOOLS
from fixtures.homework import STORY_PROMPT
from fixtures.judge.language import CHINESE
from fixtures.judge.profile import CONTENT
from fixtures.judge.stream import broken_pieces, same_calls_fault, same_text_fault, whole_characters_fault
from fixtures.lmdeploy.capabilities import Capabilities
from fixtures.run.claims import claim
from fixtures.run.measurement import Measure, assert_no_fault
from tests.acceptance.depth.topics import DETERMINATE, at_once

pytestmark = [pytest.mark.gpu, pytest.mark.depth]

CALL_TOKENS = 256
"""Tokens of an answer with a call, which takes about 40."""

STORY_TOKENS = 512
"""Tokens of a story or a count: enough for either, and an end to a model that loops."""


def ask_both_ways(client: Client, number: int, *, topic: Topic, name: str, calls: int) -> Judged:
    """A topic's first answer at temperature 0, unstreamed and streamed."""
    messages = [{"role": "user", "content": topic.question(name, number).text}]
    fields = {"tools": list(TOOLS), "max_tokens": CALL_TOKENS, **asdict(GREEDY)}
    whole = client.ask(messages, **fields)
    streamed = client.stream(messages, **fields)
    found = [call["function"] for call in streamed.calls]
    return Judged(same_calls_fault(whole.tool_calls, streamed, calls), found, streamed.text)


@pytest.fixture(scope="module")
def streamed_story(client: Client) -> Streamed:
    """The homework's prompt at temperature 0, streamed."""
    messages = [{"role": "user", "content": STORY_PROMPT}]
    return client.stream(messages, max_tokens=STORY_TOKENS, **asdict(GREEDY))


@claim(
    "tools.streamed",
    part="tools",
    zh="流式返回的函数调用与非流式一致",
    en="Streamed calls are the same as unstreamed ones",
)
def test_streamed_call_is_the_unstreamed_one(run_trials: RunTrials) -> None:
    """The name in one delta, and arguments that join to the same JSON."""
    attempt = partial(ask_both_ways, topic=Topic(chain), name="tools.streamed", calls=1)
    assert_no_fault(run_trials(attempt, CONTENT, GREEDY.temperature).fault)


@claim(
    "tools.two_calls_streamed",
    part="tools",
    zh="流式返回同一轮的两个调用",
    en="Two calls of one turn are streamed as two",
)
def test_two_calls_of_one_turn_are_streamed_as_two(run_trials: RunTrials) -> None:
    """Each call has its index, its id and its own arguments."""
    attempt = partial(ask_both_ways, topic=Topic(at_once), name="tools.two_calls_streamed", calls=2)
    assert_no_fault(run_trials(attempt, CONTENT, GREEDY.temperature).fault)


@claim(
    "chat.streams_the_same",
    part="chat",
    zh="流式与非流式内容一致",
    en="Streamed text is the same as unstreamed",
    structural="an answer against itself, streamed and unstreamed",
)
def test_streamed_answer_is_the_unstreamed_one(client: Client, capabilities: Capabilities, measure: Measure) -> None:
    """At temperature 0, to the last character, and the tokens are counted where the version promises it."""
    messages = [{"role": "user", "content": DETERMINATE}]
    whole = client.ask(messages, max_tokens=STORY_TOKENS, **asdict(GREEDY))
    streamed = client.stream(messages, max_tokens=STORY_TOKENS, **asdict(GREEDY))
    measure("chunks_with_text", len(streamed.pieces), above=1)
    assert_no_fault(same_text_fault(whole.text, streamed, capabilities.stream_usage))


@claim(
    "chat.streams_whole_characters",
    part="chat",
    zh="流式返回完整的汉字",
    en="Streaming never splits a character",
    structural="how the server cuts a text, whatever the text is",
)
def test_no_character_is_cut_between_chunks(streamed_story: Streamed, measure: Measure) -> None:
    """A Chinese character is three bytes, often two tokens: it must wait for its last one."""
    measure("chinese_characters_streamed", len(CHINESE.findall(streamed_story.text)), above=0)
    measure("broken_pieces", len(broken_pieces(streamed_story)), expected=0)
    assert_no_fault(whole_characters_fault(streamed_story))
