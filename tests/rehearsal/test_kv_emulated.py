"""The emulated caches: how replies are drawn and judged. Their rounding is held in test_kv_int4.py."""

import pytest
import torch

from tools.kv_emulated import RoundedCache, called, pytorch, sampled
from tools.kv_questions import QUESTIONS

ADD = QUESTIONS[0]


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ('<tool_call>\n{"name": "add", "arguments": {"a": 3, "b": 5}}\n</tool_call>', True),
        ('```xml\n<tool_call>{"name": "add", "arguments": {"a": 3, "b": 5}}</tool_call>\n```', True),
        ('<tool_call>\n{"name": "mul", "arguments": {"a": 3, "b": 5}}\n</tool_call>', False),
        ('<tool_call>\n{"name": "add", "arguments": {"a":": 3, "b": 5}}\n</tool_call>', False),
        ('```json\n{"name": "add", "arguments": {"a": 3, "b": 5}}\n```', False),
    ],
)
def test_reply_is_right_where_its_call_is(text, right):
    assert called(ADD, text)["right"] is right


def test_tokens_behind_the_nucleus_are_never_drawn():
    logits = torch.tensor([[0.0, 1.0, 3.0, -1.0]]).repeat(200, 1)  # at temperature 0.8, token 2 alone has 0.89
    assert set(sampled(torch.Generator().manual_seed(1), logits).tolist()) == {2}
    even = torch.zeros(400, 4)
    assert set(sampled(torch.Generator().manual_seed(1), even).tolist()) >= {0, 1, 2}


def test_pytorch_engine_by_hand():
    # The range 550 is 552 in bf16, the scale 552 / 255 = 2.165 is kept as 2.171875 and the zero point 138.59 as 139. So
    # 1 has code 139, which is 301.89 from a minimum that is kept as 302, and -300 has code 0.
    assert pytorch(torch.tensor([-300.0, 1.0, 250.0]), 8, torch.bfloat16).tolist() == [-302.0, -0.109375, 250.0]


def test_keys_and_values_are_rounded_each_in_its_own_way():
    cache = RoundedCache(lambda layer, states: states + 10 * (layer + 1), lambda _, states: -states)
    for layer in (0, 1):
        keys, values = cache.update(torch.ones(1, 1, 2, 4), torch.ones(1, 1, 2, 4), layer)
        assert keys.unique().tolist() == [10 * (layer + 1) + 1]
        assert values.unique().tolist() == [-1]
    assert cache.seen[1].unique().tolist() == [1]
