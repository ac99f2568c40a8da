"""`tool_choice`: what each value promises, as far as this lmdeploy version keeps it."""

import pytest

from fixtures.ask.tool_choice import NAMED_ADD, ask_once, forced_fault, no_call_fault, right_call_fault
from fixtures.ask.trial_runs import Judged, RunTrials
from fixtures.client.client import Client
from fixtures.homework import ADD_PROMPT, SAMPLING, STORY_PROMPT
from fixtures.judge.profile import CONTENT, SAFETY
from fixtures.lmdeploy.capabilities import Capabilities
from fixtures.run.claims import claim
from fixtures.run.measurement import Measure

pytestmark = [pytest.mark.gpu, pytest.mark.depth]


@claim(
    "tools.choice_auto",
    part="tools",
    zh="tool_choice=auto",
    en="tool_choice auto",
)
def test_auto_leaves_it_to_the_model(run_trials: RunTrials) -> None:
    """Said aloud, `auto` is what is meant without it: the sum is called for."""

    def attempt(client: Client, number: int) -> Judged:
        return ask_once(client, ADD_PROMPT, number, right_call_fault, tool_choice="auto")

    outcome = run_trials(attempt, CONTENT, SAMPLING.temperature)
    assert outcome.holds, str(outcome)


@claim(
    "tools.choice_none",
    part="tools",
    zh="tool_choice=none 时没有调用",
    en="tool_choice none: no call",
    structural="the server, which passes on no call whatever the model writes",
)
def test_none_forbids_calls(run_trials: RunTrials) -> None:
    """Whatever the model writes, the client gets no call."""

    def attempt(client: Client, number: int) -> Judged:
        return ask_once(client, ADD_PROMPT, number, no_call_fault, tool_choice="none")

    outcome = run_trials(attempt, SAFETY, SAMPLING.temperature)
    assert outcome.holds, str(outcome)


@claim(
    "tools.choice_required",
    part="tools",
    zh="tool_choice=required 时必有调用",
    en="tool_choice required: a call that satisfies the schema",
    structural="the server's grammar, which writes the call for any model",
)
def test_required_forces_a_call(run_trials: RunTrials, capabilities: Capabilities, measure: Measure) -> None:
    """A call comes even where the model would rather tell a story, and it satisfies the schema."""
    measure("enforced_by_a_grammar", "yes" if capabilities.enforces_required else "no")

    def attempt(client: Client, number: int) -> Judged:
        return ask_once(client, STORY_PROMPT, number, forced_fault, tool_choice="required")

    outcome = run_trials(attempt, SAFETY, SAMPLING.temperature)
    assert outcome.holds, str(outcome)


@claim(
    "tools.choice_named",
    part="tools",
    zh="tool_choice 指定函数",
    en="tool_choice with a named function",
)
def test_a_named_function_excludes_the_others(
    run_trials: RunTrials, capabilities: Capabilities, measure: Measure
) -> None:
    """The named function and no other; lmdeploy takes the others out of the prompt, and forces nothing."""
    measure("enforced_by_a_grammar", "yes" if capabilities.enforces_named else "no")

    def attempt(client: Client, number: int) -> Judged:
        return ask_once(client, ADD_PROMPT, number, right_call_fault, tool_choice=NAMED_ADD)

    outcome = run_trials(attempt, CONTENT, SAMPLING.temperature)
    assert outcome.holds, str(outcome)
