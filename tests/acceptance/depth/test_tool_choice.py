"""`tool_choice`: each value keeps its promise, as far as this lmdeploy version makes it."""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

import pytest

from fixtures.ask.trial_runs import Attempt, Judged, RunTrials
from fixtures.client.answer import Answer
from fixtures.client.client import Client
from fixtures.client.tools import TOOLS
from fixtures.homework import ADD_PROMPT, SAMPLING, STORY_PROMPT
from fixtures.judge.profile import CONTENT, SAFETY, SEED
from fixtures.judge.tool_calls import forced_fault, no_call_fault, right_call_fault
from fixtures.lmdeploy.capabilities import Capabilities
from fixtures.run.claims import claim
from fixtures.run.measurement import Measure, assert_no_fault
from fixtures.texts import Message

pytestmark = [pytest.mark.gpu, pytest.mark.depth]

ADD_TOOL = {"type": "function", "function": {"name": "add"}}

MAX_TOKENS = 128
"""Tokens of one answer: a call takes about 40."""

is_the_sum = partial(right_call_fault, expected=("add", 3, 5))


def choosing(question: str, choice: Any, fault_of: Callable[[Answer], Message | None]) -> Attempt:
    """Make trials of a single answer with both tools offered."""

    def attempt(client: Client, number: int) -> Judged:
        fields = {"tools": list(TOOLS), "max_tokens": MAX_TOKENS, "seed": SEED + number, **asdict(SAMPLING)}
        answer = client.ask([{"role": "user", "content": question}], tool_choice=choice, **fields)
        return Judged(fault_of(answer), [call.get("function") or {} for call in answer.tool_calls], answer.text)

    return attempt


@claim("tools.choice_auto", part="tools", zh="tool_choice=auto", en="tool_choice auto")
def test_auto_leaves_it_to_the_model(run_trials: RunTrials) -> None:
    """Said aloud, `auto` is what is meant without it: the sum is called for."""
    assert_no_fault(run_trials(choosing(ADD_PROMPT, "auto", is_the_sum), CONTENT, SAMPLING.temperature).fault)


@claim(
    "tools.choice_none",
    part="tools",
    zh="tool_choice=none 时没有调用",
    en="tool_choice none: no call",
    structural="the server, which passes on no call whatever the model writes",
)
def test_none_forbids_calls(run_trials: RunTrials) -> None:
    """The client gets no call, no matter what the model writes."""
    assert_no_fault(run_trials(choosing(ADD_PROMPT, "none", no_call_fault), SAFETY, SAMPLING.temperature).fault)


@claim(
    "tools.choice_required",
    part="tools",
    zh="tool_choice=required 时必有调用",
    en="tool_choice required: a call that satisfies the schema",
    structural="the server's grammar, which writes the call for any model",
)
def test_required_forces_a_call(run_trials: RunTrials, capabilities: Capabilities, measure: Measure) -> None:
    """A call comes even where the model would rather tell a story, and it satisfies the schema."""
    measure("enforced_by_a_grammar", capabilities.enforces_required)
    assert_no_fault(run_trials(choosing(STORY_PROMPT, "required", forced_fault), SAFETY, SAMPLING.temperature).fault)


@claim("tools.choice_named", part="tools", zh="tool_choice 指定函数", en="tool_choice with a named function")
def test_named_function_excludes_the_others(
    run_trials: RunTrials, capabilities: Capabilities, measure: Measure
) -> None:
    """The named function and no other; lmdeploy takes the others out of the prompt, and forces nothing."""
    measure("enforced_by_a_grammar", capabilities.enforces_named)
    assert_no_fault(run_trials(choosing(ADD_PROMPT, ADD_TOOL, is_the_sum), CONTENT, SAMPLING.temperature).fault)
