"""Function calling beyond the homework's three questions: other numbers, other words, other histories, repeatedly.

Under `--profile homework` one right try of five suffices; under `--profile strict` the required rate is shown.
"""

from typing import Any

import pytest

from fixtures.ask.questions import GREEDY, WORDS_EN, WORDS_ZH, Topic, add, chain, multiply, words
from fixtures.ask.tool_calls import AskTopic
from fixtures.client.client import Client
from fixtures.client.tools import TOOLS
from fixtures.homework import ADD_PROMPT
from fixtures.judge.envelope import prompt_growth_fault
from fixtures.judge.profile import SAFETY
from fixtures.lmdeploy.capabilities import Capabilities
from fixtures.run.claims import claim
from fixtures.run.measurement import Measure, assert_no_fault
from tests.acceptance.depth import topics

pytestmark = [pytest.mark.gpu, pytest.mark.depth]

CALL_TOKENS = 128
"""Enough for a call, where one that is cut is not answered."""


def about(topic: Topic, name: str, zh: str, en: str) -> Any:
    """Declare the claim `tools.<name>` about a topic."""
    return pytest.param(topic, id=name, marks=claim(f"tools.{name}", part="tools", zh=zh, en=en))


@claim(
    "tools.reach_the_prompt",
    part="tools",
    zh="工具描述进入了提示词",
    en="The tools reach the prompt",
    structural="the prompt, counted before the model says anything",
)
def test_tools_reach_the_prompt(client: Client, capabilities: Capabilities, measure: Measure) -> None:
    """Offering tools makes the prompt longer: otherwise no call can ever come, whatever the model."""
    messages = [{"role": "user", "content": ADD_PROMPT}]
    plain = client.ask(messages, temperature=0, max_tokens=1)
    most = 1 if capabilities.answers_a_cut_call else CALL_TOKENS
    offered = client.ask(messages, temperature=0, max_tokens=most, tools=list(TOOLS))
    measure("prompt_with_tools", offered.usage["prompt_tokens"], above=plain.usage["prompt_tokens"])
    assert_no_fault(prompt_growth_fault(plain, offered))


@pytest.mark.parametrize(
    "topic",
    [
        about(Topic(add), "add_trials", "加法：多次试验", "Sums, many trials"),
        about(Topic(multiply), "multiply_trials", "乘法：多次试验", "Products, many trials"),
        about(Topic(chain), "chain_trials", "先加后乘：多次试验", "Chains of a sum and a product, many trials"),
        about(Topic(chain, GREEDY), "chain_greedy", "先加后乘：温度 0", "Chains at temperature 0"),
        about(Topic(topics.large), "large_operands", "较大的数", "Large operands"),
        about(Topic(topics.negative), "negative_operands", "负数", "Negative operands"),
        about(Topic(topics.zero), "zero_operand", "含零的运算", "Zero as an operand"),
        about(Topic(words(WORDS_ZH)), "words_zh", "用中文提出的应用题", "Sums and products asked in Chinese words"),
        about(Topic(words(WORDS_EN)), "words_en", "用英文提出的应用题", "Sums and products asked in English words"),
        about(Topic(topics.two_questions), "two_questions", "一次提出两个问题", "Two questions at once"),
        about(Topic(topics.at_once), "two_calls_in_one_turn", "同一轮里调用两个工具", "Two calls in one turn"),
        about(
            Topic(topics.replayed), "history_replayed", "带着历史继续对话", "A conversation replayed with its history"
        ),
        about(Topic(chain, result_role="tool"), "result_as_tool", "结果以 tool 角色返回", "Results given as role tool"),
        about(
            Topic(chain, result_role="environment"),
            "result_as_environment",
            "结果以 environment 角色返回",
            "Results given as role environment",
        ),
        about(
            Topic(topics.not_needed, required=SAFETY),
            "not_needed",
            "不需要工具时不调用",
            "No call where none is needed",
        ),
        about(
            Topic(topics.not_invented, required=SAFETY),
            "not_invented",
            "不编造不存在的工具",
            "No call of a tool that was not offered",
        ),
    ],
)
def test_calls_are_exact(topic: Topic, ask_topic: AskTopic) -> None:
    """Names, values, types, order and number of the calls, and what the last reply says; or no call where none fits."""
    assert_no_fault(ask_topic(topic).fault)
