"""Function calling beyond the homework's three questions: other numbers, other words, other histories, repeatedly.

Under `--profile homework` one right try of five holds a claim; under `--profile strict` the required rate is shown.
"""

import pytest

from fixtures.ask.questions import TOPICS, Topic
from fixtures.ask.tool_calls import AskTopic
from fixtures.client.client import Client
from fixtures.client.tools import TOOLS
from fixtures.homework import ADD_PROMPT
from fixtures.judge.chat import prompt_growth_fault
from fixtures.run.measurement import Measure

pytestmark = [pytest.mark.gpu, pytest.mark.depth]


@pytest.mark.claim("tools.reach_the_prompt")
def test_the_tools_reach_the_prompt(client: Client, measure: Measure) -> None:
    """Offering tools makes the prompt longer: otherwise no call can ever come, whatever the model."""
    messages = [{"role": "user", "content": ADD_PROMPT}]
    plain = client.ask(messages, temperature=0, max_tokens=1)
    offered = client.ask(messages, temperature=0, max_tokens=1, tools=list(TOOLS))
    counts = [answer.body["usage"]["prompt_tokens"] for answer in (plain, offered)]
    measure("prompt with tools", counts[1], "tokens", f"> {counts[0]} tokens")
    fault = prompt_growth_fault(plain, offered)
    assert not fault, fault


@pytest.mark.parametrize(
    "topic", [pytest.param(topic, id=topic.claim, marks=pytest.mark.claim(topic.claim)) for topic in TOPICS]
)
def test_calls_are_exact(topic: Topic, ask_topic: AskTopic) -> None:
    """Names, values, types, order and number of the calls, and what the last reply says; or no call where none fits."""
    outcome = ask_topic(topic)
    assert outcome.holds, str(outcome)
