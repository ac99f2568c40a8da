"""The chat beyond one story: memory, system prompt, long input, and the limits that a client relies on."""

from dataclasses import asdict

import pytest

from fixtures.ask.questions import GREEDY
from fixtures.ask.trial_runs import Judged, RunTrials
from fixtures.client.answer import Answer
from fixtures.client.client import Client
from fixtures.homework import SAMPLING, STORY_PROMPT, SYSTEM_PROMPT
from fixtures.judge.ending import cut_fault, last_word_fault, stop_fault
from fixtures.judge.envelope import long_prompt_fault, refusal_fault, usage_fault
from fixtures.judge.final_answer import recall_fault
from fixtures.judge.profile import CONTENT, DRAMA, SEED
from fixtures.judge.repetition import same_again_fault
from fixtures.judge.story import sample_fault
from fixtures.run.claims import claim
from fixtures.run.measurement import Measure, assert_no_fault
from tests.acceptance.depth.long_text import long_text, tokens_per_character
from tests.acceptance.depth.topics import DETERMINATE, NOT_NEEDED, name

pytestmark = [pytest.mark.gpu, pytest.mark.depth]

REPLY_TOKENS = 128
"""Tokens of a short answer; one that goes on is cut off and wrong."""

STORY_TOKENS = 1024
"""Tokens of a story, which takes 150 to 600."""

LAST_WORD = "喵"
CUT = 16
PAGES = 1200
"""Tokens of a few pages."""

NEAR = 0.9
"""Share of the context that the long input fills."""

BEYOND = 1.1


def talk(client: Client, number: int, *said: str, system: str = "", max_tokens: int = REPLY_TOKENS) -> Answer:
    """Say one thing after the other with the homework's sampling and the trial's own seed; return the last answer."""
    messages = [{"role": "system", "content": system}] if system else []
    for words in said:
        messages.append({"role": "user", "content": words})
        answer = client.ask(list(messages), max_tokens=max_tokens, seed=SEED + number, **asdict(SAMPLING))
        messages.append({"role": "assistant", "content": answer.text})
    return answer


@claim("chat.story_trials", part="chat", zh="作业的故事：多次采样", en="The homework's story, many samples")
def test_story_after_story(run_trials: RunTrials) -> None:
    """Each sample meets all five claims of the homework's chat."""

    def attempt(client: Client, number: int) -> Judged:
        answer = talk(client, number, STORY_PROMPT, system=SYSTEM_PROMPT, max_tokens=STORY_TOKENS)
        return Judged(sample_fault(answer, STORY_TOKENS), reply=answer.text)

    assert_no_fault(run_trials(attempt, DRAMA, SAMPLING.temperature).fault)


@claim("chat.remembers", part="chat", zh="多轮对话中记得前文", en="The model remembers earlier turns")
def test_model_remembers_a_name(run_trials: RunTrials) -> None:
    """Told in the first turn, asked for in the third."""

    def attempt(client: Client, number: int) -> Judged:
        told = name("chat.remembers", number)
        answer = talk(client, number, f"我叫{told}。", "中国的首都是哪里？", "我叫什么名字？")
        return Judged(recall_fault(answer, told), reply=answer.text)

    assert_no_fault(run_trials(attempt, CONTENT, SAMPLING.temperature).fault)


@claim("chat.obeys_system_prompt", part="chat", zh="遵守系统提示", en="The model obeys the system prompt")
def test_system_prompt_is_obeyed(run_trials: RunTrials) -> None:
    """A last word that only the system prompt asks for."""

    def attempt(client: Client, number: int) -> Judged:
        question, _ = NOT_NEEDED[number % len(NOT_NEEDED)]
        answer = talk(client, number, question, system=f"每次回答都以“{LAST_WORD}”结尾。")
        return Judged(last_word_fault(answer, LAST_WORD), reply=answer.text)

    assert_no_fault(run_trials(attempt, CONTENT, SAMPLING.temperature).fault)


@claim(
    "chat.remembers_behind_long_text", part="chat", zh="隔着长文本仍能记得", en="The model remembers behind a long text"
)
def test_name_behind_a_long_text_is_remembered(client: Client, run_trials: RunTrials, measure: Measure) -> None:
    """A few pages, then the name, all read through an int4 KV cache; asked for in the next turn."""
    pages = long_text(PAGES, tokens_per_character(client))
    measure("tokens_before", PAGES)

    def attempt(client: Client, number: int) -> Judged:
        told = name("chat.remembers_behind_long_text", number)
        answer = talk(client, number, f"{pages}\n\n我叫{told}。", "我叫什么名字？")
        return Judged(recall_fault(answer, told), reply=answer.text)

    assert_no_fault(run_trials(attempt, CONTENT, SAMPLING.temperature).fault)


@claim(
    "chat.takes_long_input",
    part="chat",
    zh="接受接近上限的长输入",
    en="Input close to the limit is taken",
    structural="the prompt, which is counted and answered with anything at all",
)
def test_input_near_the_limit_is_answered(client: Client, context_tokens: int, measure: Measure) -> None:
    """Nine tenths of the context are taken and counted."""
    wanted = int(context_tokens * NEAR)
    text = long_text(wanted, tokens_per_character(client))
    answer = client.ask([{"role": "user", "content": text}], max_tokens=CUT, **asdict(GREEDY))
    measure("prompt_tokens", answer.usage["prompt_tokens"], below=context_tokens)
    assert_no_fault(long_prompt_fault(answer, wanted, context_tokens))


@claim(
    "chat.refuses_too_long",
    part="chat",
    zh="明确拒绝过长的输入",
    en="Input beyond the limit is refused and says so",
    structural="the server, which refuses before the model is asked",
)
def test_input_beyond_the_limit_is_refused_and_the_server_lives(
    client: Client, context_tokens: int, measure: Measure
) -> None:
    """A 4xx that says so, and the next request is answered."""
    text = long_text(int(context_tokens * BEYOND), tokens_per_character(client))
    exchanged = client.attempt([{"role": "user", "content": text}], max_tokens=CUT, **asdict(GREEDY))
    measure("status", exchanged.status, at_least=400)
    assert_no_fault(refusal_fault(exchanged))
    assert_no_fault(usage_fault(client.ask([{"role": "user", "content": "你好"}], max_tokens=CUT, **asdict(GREEDY))))


@claim(
    "chat.stops_at_stop_string",
    part="chat",
    zh="在停止字符串处停下",
    en="The reply stops at a stop string",
    structural="where the server ends a text, whatever the text is",
)
def test_stop_string_ends_the_reply(client: Client, measure: Measure) -> None:
    """The greedy story again, ended before its first full stop. lmdeploy stops only at what is a single token."""
    messages = [{"role": "user", "content": STORY_PROMPT}]
    whole = client.ask(messages, max_tokens=STORY_TOKENS, **asdict(GREEDY))
    stopped = client.ask(messages, max_tokens=STORY_TOKENS, stop=["。"], **asdict(GREEDY))
    measure("characters", len(stopped.text), below=len(whole.text))
    assert_no_fault(stop_fault(whole.text, stopped, "。"))


@claim(
    "chat.stops_at_max_tokens",
    part="chat",
    zh="在 max_tokens 处停下",
    en="The reply stops at max_tokens",
    structural="where the server ends a text, whatever the text is",
)
def test_max_tokens_cuts_the_reply(client: Client, measure: Measure) -> None:
    """Exactly so many tokens, and finish_reason `length`."""
    answer = client.ask([{"role": "user", "content": STORY_PROMPT}], max_tokens=CUT, **asdict(GREEDY))
    measure("completion_tokens", answer.usage["completion_tokens"], expected=CUT)
    assert_no_fault(cut_fault(answer, CUT))


@claim(
    "chat.greedy_repeats",
    part="chat",
    zh="温度 0 时答案可重复",
    en="Answers repeat at temperature 0",
    structural="an answer against itself: random weights repeat theirs as well",
)
def test_greedy_answers_repeat(client: Client, measure: Measure) -> None:
    """At temperature 0 a question with one answer has the same answer each time."""
    messages = [{"role": "user", "content": DETERMINATE}]
    first, *others = (client.ask(messages, max_tokens=STORY_TOKENS, **asdict(GREEDY)).text for _ in range(3))
    measure("same_again", sum(text == first for text in others), expected=len(others))
    assert_no_fault(same_again_fault(first, others))
