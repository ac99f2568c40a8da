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
from fixtures.run.claims import claim
from fixtures.run.measurement import Measure, assert_no_fault
from tests.acceptance.depth import topics

pytestmark = [pytest.mark.gpu, pytest.mark.depth]

of_tools = partial(claim, part="tools")


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
        pytest.param(
            Topic(add),
            id="add_trials",
            marks=of_tools("tools.add_trials", zh="加法：多次试验", en="Sums, many trials"),
        ),
        pytest.param(
            Topic(multiply),
            id="multiply_trials",
            marks=of_tools("tools.multiply_trials", zh="乘法：多次试验", en="Products, many trials"),
        ),
        pytest.param(
            Topic(chain),
            id="chain_trials",
            marks=of_tools(
                "tools.chain_trials", zh="先加后乘：多次试验", en="Chains of a sum and a product, many trials"
            ),
        ),
        pytest.param(
            Topic(chain, GREEDY),
            id="chain_greedy",
            marks=of_tools("tools.chain_greedy", zh="先加后乘：温度 0", en="Chains at temperature 0"),
        ),
        pytest.param(
            Topic(topics.large),
            id="large_operands",
            marks=of_tools("tools.large_operands", zh="较大的数", en="Large operands"),
        ),
        pytest.param(
            Topic(topics.negative),
            id="negative_operands",
            marks=of_tools("tools.negative_operands", zh="负数", en="Negative operands"),
        ),
        pytest.param(
            Topic(topics.zero),
            id="zero_operand",
            marks=of_tools("tools.zero_operand", zh="含零的运算", en="Zero as an operand"),
        ),
        pytest.param(
            Topic(words(WORDS_ZH)),
            id="words_zh",
            marks=of_tools("tools.words_zh", zh="用中文提出的应用题", en="Sums and products asked in Chinese words"),
        ),
        pytest.param(
            Topic(words(WORDS_EN)),
            id="words_en",
            marks=of_tools("tools.words_en", zh="用英文提出的应用题", en="Sums and products asked in English words"),
        ),
        pytest.param(
            Topic(topics.two_questions),
            id="two_questions",
            marks=of_tools("tools.two_questions", zh="一次提出两个问题", en="Two questions at once"),
        ),
        pytest.param(
            Topic(topics.at_once),
            id="two_calls_in_one_turn",
            marks=of_tools("tools.two_calls_in_one_turn", zh="同一轮里调用两个工具", en="Two calls in one turn"),
        ),
        pytest.param(
            Topic(topics.replayed),
            id="history_replayed",
            marks=of_tools(
                "tools.history_replayed", zh="带着历史继续对话", en="A conversation replayed with its history"
            ),
        ),
        pytest.param(
            Topic(chain, result_role="tool"),
            id="result_as_tool",
            marks=of_tools("tools.result_as_tool", zh="结果以 tool 角色返回", en="Results given as role tool"),
        ),
        pytest.param(
            Topic(chain, result_role="environment"),
            id="result_as_environment",
            marks=of_tools(
                "tools.result_as_environment", zh="结果以 environment 角色返回", en="Results given as role environment"
            ),
        ),
        pytest.param(
            Topic(topics.not_needed, required=SAFETY),
            id="not_needed",
            marks=of_tools("tools.not_needed", zh="不需要工具时不调用", en="No call where none is needed"),
        ),
        pytest.param(
            Topic(topics.not_invented, required=SAFETY),
            id="not_invented",
            marks=of_tools("tools.not_invented", zh="不编造不存在的工具", en="No call of a tool that was not offered"),
        ),
    ],
)
def test_calls_are_exact(topic: Topic, ask_topic: AskTopic) -> None:
    """Names, values, types, order and number of the calls, and what the last reply says; or no call where none fits."""
    assert_no_fault(ask_topic(topic).fault)
