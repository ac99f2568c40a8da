"""Function calling beyond the homework's three questions: other numbers, other words, other histories, repeatedly.

Under `--profile homework` one right try of five holds a claim; under `--profile strict` the required rate is shown.
"""

import pytest

from fixtures.capabilities import Capabilities
from fixtures.chat_claims import prompt_growth_fault
from fixtures.client import Client
from fixtures.homework import ADD_PROMPT
from fixtures.measurement import Measure
from fixtures.questions import TOPICS, TWO_CALLS, Topic
from fixtures.tool_calls import AskTopic
from fixtures.tools import TOOLS

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
def test_calls_are_exact(topic: Topic, ask_topic: AskTopic, contract: Capabilities) -> None:
    """Names, values, types, order and number of the calls, and what the last reply says; or no call where none fits."""
    if topic.result_role == "tool" and contract.result_role != "tool":
        pytest.skip(f"not measured: lmdeploy {contract.since} answers 500 to a result of role tool")
    if topic.claim == TWO_CALLS and not contract.two_calls_in_one_turn:
        pytest.skip(f"not measured: lmdeploy {contract.since} keeps one call of an answer")
    outcome = ask_topic(topic)
    assert outcome.holds, str(outcome)
