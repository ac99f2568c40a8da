"""The quantized cache: the rounding. That its rows attend to their own tokens is seen in the scheduler's answers."""

import pytest
import torch

from fixtures.rehearsal.kv_int4 import SlotCache, fake_quantize


@pytest.mark.parametrize(
    ("bits", "states", "restored"),
    [
        # Scale 0.5, codes 0, 3, 4, 15: 0.2 is 3.4 steps above the minimum, 0.3 is 3.6.
        pytest.param(4, [-1.5, 0.2, 0.3, 6.0], [-1.5, 0.0, 0.5, 6.0], id="int4"),
        pytest.param(8, [0.0, 1.4, 1.6, 255.0], [0.0, 1.0, 2.0, 255.0], id="int8"),
        pytest.param(4, [0.0, 0.5, 1.5, 15.0], [0.0, 0.0, 2.0, 15.0], id="ties-to-even"),
        pytest.param(4, [2.5] * 4, [2.5] * 4, id="constant"),
        pytest.param(0, [1.0001, 2.5], [1.0, 2.5], id="rounded-to-the-dtype-alone"),
    ],
)
def test_rounding_by_hand(bits, states, restored):
    assert fake_quantize(torch.tensor(states), bits, torch.float16).tolist() == restored


def test_difference_from_the_minimum_is_rounded_as_turbomind_does():
    # In bf16, numbers from 256 to 512 are even: 3.25 - (-360) becomes 364, which is code 139 and not 138 of 2.625 each.
    key = torch.tensor([-360.0, 3.25, 310.0])
    assert fake_quantize(key, 8, torch.bfloat16).tolist() == [-360.0, 4.875, 310.0]


def test_each_token_and_head_has_its_own_scale():
    states = torch.stack((torch.linspace(0, 1, 8), torch.linspace(0, 1000, 8)))
    alone = torch.stack([fake_quantize(row, 4, torch.float16) for row in states])
    assert torch.equal(fake_quantize(states, 4, torch.float16), alone)


def test_states_are_quantized_on_entry():
    cache = SlotCache(layers=1, bits=4, dtype=torch.float16)
    cache.begin_prompt(0, 3)
    states = torch.randn(1, 2, 3, 8, generator=torch.Generator().manual_seed(1))
    keys, values = cache.update(states, -states, 0)
    assert torch.equal(keys, fake_quantize(states, 4, torch.float16))
    assert torch.equal(values, fake_quantize(-states, 4, torch.float16))
    assert not torch.allclose(keys, states, atol=1e-3)
