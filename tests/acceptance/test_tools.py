"""基础任务二 / Second task: the model calls functions for a sum and a product."""

import pytest

from fixtures.ask.questions import ADD, CHAIN, MULTIPLY
from fixtures.ask.tool_calls import AskForCalls
from fixtures.run.claims import claim
from fixtures.run.measurement import assert_no_fault

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.usefixtures("story_begun"),  # the story takes longest: it is told while these are asked
]


@claim("tools.add", part="tools", zh="模型调用了加法函数 add", en="The model called add")
def test_the_model_calls_add(ask_for_calls: AskForCalls) -> None:
    """Asked for 3+5, the model calls add(a=3, b=5) and says 8."""
    assert_no_fault(ask_for_calls(ADD).fault)


@claim("tools.multiply", part="tools", zh="模型调用了乘法函数 mul", en="The model called mul")
def test_the_model_calls_multiply(ask_for_calls: AskForCalls) -> None:
    """Asked for 8*2, the model calls mul(a=8, b=2) and says 16."""
    assert_no_fault(ask_for_calls(MULTIPLY).fault)


@claim(
    "tools.chain", part="tools", zh="模型先加后乘，算出 (3+5)*2 = 16", en="The model chained add and mul: (3+5)*2 = 16"
)
def test_the_model_chains_add_and_multiply(ask_for_calls: AskForCalls) -> None:
    """Asked for (3+5)*2, the model calls add(3, 5), takes the 8, calls mul(8, 2) and says 16."""
    assert_no_fault(ask_for_calls(CHAIN).fault)
