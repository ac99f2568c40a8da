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
from fixtures.run.claims import claim
from fixtures.run.measurement import Measure

pytestmark = [pytest.mark.gpu, pytest.mark.depth]

CLAIMS = {
    one.args[0].id: one
    for one in (
        claim(
            "tools.add_trials",
            part="tools",
            zh="加法：多次试验",
            en="Sums, many trials",
        ),
        claim(
            "tools.multiply_trials",
            part="tools",
            zh="乘法：多次试验",
            en="Products, many trials",
        ),
        claim(
            "tools.chain_trials",
            part="tools",
            zh="先加后乘：多次试验",
            en="Chains of a sum and a product, many trials",
        ),
        claim(
            "tools.chain_greedy",
            part="tools",
            zh="先加后乘：温度 0",
            en="Chains at temperature 0",
        ),
        claim(
            "tools.large_operands",
            part="tools",
            zh="较大的数",
            en="Large operands",
        ),
        claim(
            "tools.negative_operands",
            part="tools",
            zh="负数",
            en="Negative operands",
        ),
        claim(
            "tools.zero_operand",
            part="tools",
            zh="含零的运算",
            en="Zero as an operand",
        ),
        claim(
            "tools.words_zh",
            part="tools",
            zh="用中文提出的应用题",
            en="Sums and products asked in Chinese words",
        ),
        claim(
            "tools.words_en",
            part="tools",
            zh="用英文提出的应用题",
            en="Sums and products asked in English words",
        ),
        claim(
            "tools.two_questions",
            part="tools",
            zh="一次提出两个问题",
            en="Two questions at once",
        ),
        claim(
            "tools.two_calls_in_one_turn",
            part="tools",
            zh="同一轮里调用两个工具",
            en="Two calls in one turn",
        ),
        claim(
            "tools.history_replayed",
            part="tools",
            zh="带着历史继续对话",
            en="A conversation replayed with its history",
        ),
        claim(
            "tools.result_as_tool",
            part="tools",
            zh="结果以 tool 角色返回",
            en="Results given as role tool",
        ),
        claim(
            "tools.result_as_environment",
            part="tools",
            zh="结果以 environment 角色返回",
            en="Results given as role environment",
        ),
        claim(
            "tools.not_needed",
            part="tools",
            zh="不需要工具时不调用",
            en="No call where none is needed",
        ),
        claim(
            "tools.not_invented",
            part="tools",
            zh="不编造不存在的工具",
            en="No call of a tool that was not offered",
        ),
    )
}
"""The mark of each claim, by its id."""


@claim(
    "tools.reach_the_prompt",
    part="tools",
    zh="工具描述进入了提示词",
    en="The tools reach the prompt",
    structural="the prompt, counted before the model says anything",
)
def test_the_tools_reach_the_prompt(client: Client, measure: Measure) -> None:
    """Offering tools makes the prompt longer: otherwise no call can ever come, whatever the model."""
    messages = [{"role": "user", "content": ADD_PROMPT}]
    plain = client.ask(messages, temperature=0, max_tokens=1)
    offered = client.ask(messages, temperature=0, max_tokens=1, tools=list(TOOLS))
    counts = [answer.body["usage"]["prompt_tokens"] for answer in (plain, offered)]
    measure("prompt_with_tools", counts[1], "tokens", f"> {counts[0]} tokens")
    fault = prompt_growth_fault(plain, offered)
    assert not fault, fault


@pytest.mark.parametrize("topic", [pytest.param(topic, id=topic.claim, marks=CLAIMS[topic.claim]) for topic in TOPICS])
def test_calls_are_exact(topic: Topic, ask_topic: AskTopic) -> None:
    """Names, values, types, order and number of the calls, and what the last reply says; or no call where none fits."""
    outcome = ask_topic(topic)
    assert outcome.holds, str(outcome)
