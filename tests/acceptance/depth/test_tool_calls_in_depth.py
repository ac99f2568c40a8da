"""Function calling beyond the homework's three questions: other numbers, other words, other histories, repeatedly.

Under `--profile homework` one right try of five suffices; under `--profile strict` the required rate is shown.
"""

from functools import partial

import pytest

from fixtures.ask.questions import GREEDY, WORDS_EN, WORDS_ZH, Topic, add, chain, multiply, words
from fixtures.ask.tool_calls import AskTopic
from fixtures.client.client import Client
from fixtures.client.tools import TOOLS
from fixtures.homework import ADD_PROMPT
from fixtures.judge.envelope import prompt_growth_fault
from fixtures.judge.profile import SAFETY
from fixtures.run.claims import claim, claim_about
from fixtures.run.measurement import Measure, assert_no_fault
from tests.acceptance.depth import topics

pytestmark = [pytest.mark.gpu, pytest.mark.depth]

about = partial(claim_about, part="tools")


@claim(
    "tools.reach_the_prompt",
    part="tools",
    zh="工具描述进入了提示词",
    en="The tools reach the prompt",
    structural="the prompt, counted before the model says anything",
)
def test_tools_reach_the_prompt(client: Client, measure: Measure) -> None:
    """Offering tools makes the prompt longer: otherwise no call can ever come, whatever the model."""
    messages = [{"role": "user", "content": ADD_PROMPT}]
    plain = client.ask(messages, temperature=0, max_tokens=1)
    offered = client.ask(messages, temperature=0, max_tokens=1, tools=list(TOOLS))
    measure("prompt_with_tools", offered.usage["prompt_tokens"], above=plain.usage["prompt_tokens"])
    assert_no_fault(prompt_growth_fault(plain, offered))


@pytest.mark.parametrize(
    "topic",
    [
        about(Topic(add), "tools.add_trials", zh="加法：多次试验", en="Sums, many trials"),
        about(Topic(multiply), "tools.multiply_trials", zh="乘法：多次试验", en="Products, many trials"),
        about(
            Topic(chain), "tools.chain_trials", zh="先加后乘：多次试验", en="Chains of a sum and a product, many trials"
        ),
        about(Topic(chain, GREEDY), "tools.chain_greedy", zh="先加后乘：温度 0", en="Chains at temperature 0"),
        about(Topic(topics.large), "tools.large_operands", zh="较大的数", en="Large operands"),
        about(Topic(topics.negative), "tools.negative_operands", zh="负数", en="Negative operands"),
        about(Topic(topics.zero), "tools.zero_operand", zh="含零的运算", en="Zero as an operand"),
        about(
            Topic(words(WORDS_ZH)),
            "tools.words_zh",
            zh="用中文提出的应用题",
            en="Sums and products asked in Chinese words",
        ),
        about(
            Topic(words(WORDS_EN)),
            "tools.words_en",
            zh="用英文提出的应用题",
            en="Sums and products asked in English words",
        ),
        about(Topic(topics.two_questions), "tools.two_questions", zh="一次提出两个问题", en="Two questions at once"),
        about(
            Topic(topics.at_once), "tools.two_calls_in_one_turn", zh="同一轮里调用两个工具", en="Two calls in one turn"
        ),
        about(
            Topic(topics.replayed),
            "tools.history_replayed",
            zh="带着历史继续对话",
            en="A conversation replayed with its history",
        ),
        about(
            Topic(chain, result_role="tool"),
            "tools.result_as_tool",
            zh="结果以 tool 角色返回",
            en="Results given as role tool",
        ),
        about(
            Topic(chain, result_role="environment"),
            "tools.result_as_environment",
            zh="结果以 environment 角色返回",
            en="Results given as role environment",
        ),
        about(
            Topic(topics.not_needed, required=SAFETY),
            "tools.not_needed",
            zh="不需要工具时不调用",
            en="No call where none is needed",
        ),
        about(
            Topic(topics.not_invented, required=SAFETY),
            "tools.not_invented",
            zh="不编造不存在的工具",
            en="No call of a tool that was not offered",
        ),
    ],
)
def test_calls_are_exact(topic: Topic, ask_topic: AskTopic) -> None:
    """Names, values, types, order and number of the calls, and what the last reply says; or no call where none fits."""
    assert_no_fault(ask_topic(topic).fault)
