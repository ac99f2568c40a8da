"""The chat beyond one story: memory, system prompt, long input, and the limits that a client relies on."""

from dataclasses import asdict

import pytest

from fixtures.ask.long_text import long_text, tokens_per_character
from fixtures.ask.questions import DETERMINATE, GREEDY, NOT_NEEDED, name
from fixtures.ask.trial_runs import Judged, RunTrials
from fixtures.client.client import Client
from fixtures.homework import SAMPLING, STORY_PROMPT, SYSTEM_PROMPT
from fixtures.judge.chat import (
    cut_fault,
    difference,
    ending_fault,
    recall_fault,
    refusal_fault,
    stop_fault,
    story_fault,
)
from fixtures.judge.conversation import usage_fault
from fixtures.judge.profile import CONTENT, DRAMA, SEED
from fixtures.run.claims import claim
from fixtures.run.measurement import Measure

pytestmark = [pytest.mark.gpu, pytest.mark.depth]

REPLY_TOKENS = 128
"""Tokens of a short answer; one that goes on is cut off and wrong."""

STORY_TOKENS = 1024
"""Tokens of a story, which takes 150 to 600."""

ENDING = "喵"
CUT = 16
PAGES = 1200
"""Tokens of a few pages."""

NEAR = 0.9
"""Share of the context that the long input fills."""

BEYOND = 1.1


@claim(
    "chat.story_trials",
    part="chat",
    zh="作业的故事：多次采样",
    en="The homework's story, many samples",
)
def test_story_after_story(run_trials: RunTrials) -> None:
    """Each sample meets all five claims of the homework's chat."""

    def attempt(client: Client, number: int) -> Judged:
        messages = [{"role": "system", "content": SYSTEM_PROMPT}, {"role": "user", "content": STORY_PROMPT}]
        answer = client.ask(messages, max_tokens=STORY_TOKENS, seed=SEED + number, **asdict(SAMPLING))
        return Judged(story_fault(answer), reply=answer.text)

    outcome = run_trials(attempt, DRAMA, SAMPLING.temperature)
    assert outcome.holds, str(outcome)


@claim(
    "chat.remembers",
    part="chat",
    zh="多轮对话中记得前文",
    en="The model remembers earlier turns",
)
def test_the_model_remembers_a_name(run_trials: RunTrials) -> None:
    """Told in the first turn, asked for in the third."""

    def attempt(client: Client, number: int) -> Judged:
        told = name("chat.remembers", number)
        messages: list[dict[str, str]] = []
        for said in (f"我叫{told}。", "中国的首都是哪里？", "我叫什么名字？"):
            messages.append({"role": "user", "content": said})
            answer = client.ask(list(messages), max_tokens=REPLY_TOKENS, seed=SEED + number, **asdict(SAMPLING))
            messages.append({"role": "assistant", "content": answer.text})
        return Judged(recall_fault(answer, told), reply=answer.text)

    outcome = run_trials(attempt, CONTENT, SAMPLING.temperature)
    assert outcome.holds, str(outcome)


@claim(
    "chat.obeys_system_prompt",
    part="chat",
    zh="遵守系统提示",
    en="The model obeys the system prompt",
)
def test_the_system_prompt_is_obeyed(run_trials: RunTrials) -> None:
    """A last word that only the system prompt asks for."""

    def attempt(client: Client, number: int) -> Judged:
        question, _ = NOT_NEEDED[number % len(NOT_NEEDED)]
        messages = [
            {"role": "system", "content": f"每次回答都以“{ENDING}”结尾。"},
            {"role": "user", "content": question},
        ]
        answer = client.ask(messages, max_tokens=REPLY_TOKENS, seed=SEED + number, **asdict(SAMPLING))
        return Judged(ending_fault(answer, ENDING), reply=answer.text)

    outcome = run_trials(attempt, CONTENT, SAMPLING.temperature)
    assert outcome.holds, str(outcome)


@claim(
    "chat.remembers_behind_long_text",
    part="chat",
    zh="隔着长文本仍能记得",
    en="The model remembers behind a long text",
)
def test_a_name_behind_a_long_text_is_remembered(client: Client, run_trials: RunTrials, measure: Measure) -> None:
    """A few pages, then the name, all read through an int4 KV cache; asked for in the next turn."""
    filler = long_text(PAGES, tokens_per_character(client))
    measure("text_before", PAGES, "tokens, about")

    def attempt(client: Client, number: int) -> Judged:
        told = name("chat.remembers_behind_long_text", number)
        messages = [{"role": "user", "content": f"{filler}\n\n我叫{told}。"}]
        noted = client.ask(messages, max_tokens=REPLY_TOKENS, seed=SEED + number, **asdict(SAMPLING))
        messages += [{"role": "assistant", "content": noted.text}, {"role": "user", "content": "我叫什么名字？"}]
        answer = client.ask(messages, max_tokens=REPLY_TOKENS, seed=SEED + number, **asdict(SAMPLING))
        return Judged(recall_fault(answer, told), reply=answer.text)

    outcome = run_trials(attempt, CONTENT, SAMPLING.temperature)
    assert outcome.holds, str(outcome)


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
    taken = answer.body["usage"]["prompt_tokens"]
    measure("prompt", taken, "tokens", f"about {wanted} of {context_tokens}")
    assert not usage_fault(answer), usage_fault(answer)
    assert 0.9 * wanted <= taken < context_tokens
    assert answer.finish_reason in ("stop", "length")


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
    measure("status", exchanged.status, limit="4xx")
    fault = refusal_fault(exchanged)
    assert not fault, fault
    after = client.ask([{"role": "user", "content": "你好"}], max_tokens=CUT, **asdict(GREEDY))
    assert not usage_fault(after), usage_fault(after)


@claim(
    "chat.stops_at_stop_string",
    part="chat",
    zh="在停止字符串处停下",
    en="The reply stops at a stop string",
    structural="where the server ends a text, whatever the text is",
)
def test_a_stop_string_ends_the_reply(client: Client, measure: Measure) -> None:
    """The greedy story again, ended before its first full stop. lmdeploy stops only at what is a single token."""
    messages = [{"role": "user", "content": STORY_PROMPT}]
    whole = client.ask(messages, max_tokens=STORY_TOKENS, **asdict(GREEDY))
    stopped = client.ask(messages, max_tokens=STORY_TOKENS, stop=["。"], **asdict(GREEDY))
    measure("stopped_after", len(stopped.text), "characters", f"< {len(whole.text)}")
    fault = stop_fault(whole.text, stopped, "。")
    assert not fault, fault


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
    measure("completion", answer.body["usage"]["completion_tokens"], "tokens", f"= {CUT}")
    fault = cut_fault(answer, CUT)
    assert not fault, fault


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
    same = sum(text == first for text in others)
    measure("same_again", f"{same} of {len(others)}", limit=f"{len(others)} of {len(others)}")
    assert first, "the answer is empty"
    for text in others:
        assert not difference(first, text), difference(first, text)
