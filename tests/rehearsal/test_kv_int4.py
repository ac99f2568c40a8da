"""The quantized cache: the rounding, and that rows of different length attend to their own tokens only."""

import math

import pytest
import torch

from fixtures.rehearsal.kv_int4 import SlotCache, fake_quantize

HEADS, HEAD_DIM = 2, 8


@pytest.mark.parametrize(
    ("bits", "states", "restored"),
    [
        # Scale 0.5, codes 0, 3, 4, 15: 0.2 is 3.4 steps above the minimum, 0.3 is 3.6.
        pytest.param(4, [-1.5, 0.2, 0.3, 6.0], [-1.5, 0.0, 0.5, 6.0], id="int4"),
        pytest.param(8, [0.0, 1.4, 1.6, 255.0], [0.0, 1.0, 2.0, 255.0], id="int8"),
        pytest.param(4, [0.0, 0.5, 1.5, 15.0], [0.0, 0.0, 2.0, 15.0], id="ties-to-even"),
        pytest.param(4, [2.5] * 4, [2.5] * 4, id="constant"),
        pytest.param(0, [1.0009765625, 2.5], [1.0009765625, 2.5], id="not-quantized"),
    ],
)
def test_rounding_by_hand(bits, states, restored):
    assert fake_quantize(torch.tensor(states), bits, torch.float16).tolist() == restored


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize(("bits", "levels"), [(4, 15), (8, 255)])
def test_error_is_half_a_step_and_the_rounding_of_the_dtype(bits, levels, dtype):
    states = torch.randn(200, HEAD_DIM * 16, generator=torch.Generator().manual_seed(2))
    span = states.amax(-1, keepdim=True) - states.amin(-1, keepdim=True)
    half_step = span / levels / 2
    # Rounding input, scale times code (relative to the span) and result: each at most eps of the largest number.
    slack = 4 * torch.finfo(dtype).eps * (span + states.abs().amax(-1, keepdim=True))
    error = (fake_quantize(states, bits, dtype) - states).abs()
    assert (error <= half_step + slack).all()
    if (bits, dtype) == (4, torch.float16):
        assert error.max() > 0.9 * half_step.min()


def test_each_token_and_head_has_its_own_scale():
    states = torch.stack((torch.linspace(0, 1, 8), torch.linspace(0, 1000, 8)))
    alone = torch.stack([fake_quantize(row, 4, torch.float16) for row in states])
    assert torch.equal(fake_quantize(states, 4, torch.float16), alone)


def random_states(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def visible(keys, mask, row):
    """The keys that `row` may attend to, as a set: attention does not mind their order."""
    columns = mask[row].bool()
    return {tuple(key.flatten().tolist()) for key in keys[row][:, columns].transpose(0, 1)}


def as_set(*groups):
    return {tuple(key.flatten().tolist()) for states in groups for key in states[0].transpose(0, 1)}


def test_rows_of_different_length_see_their_own_tokens_only():
    cache = SlotCache(layers=1, bits=0, dtype=torch.float32)
    prompts = [random_states(1, HEADS, length, HEAD_DIM, seed=length) for length in (3, 7, 5)]
    for row, prompt in enumerate(prompts):
        cache.begin_prompt(row, prompt.shape[2])
        cache.update(prompt, prompt, 0)
    steps = []
    for step in range(6):
        mask = cache.begin_step([length + step for length in (3, 7, 5)])
        new = random_states(3, HEADS, 1, HEAD_DIM, seed=100 + step)
        steps.append(new)
        keys, values = cache.update(new, new, 0)
        assert cache.get_seq_length() == 7 + step
        assert torch.equal(keys, values)
        for row, prompt in enumerate(prompts):
            wanted = as_set(prompt, *(one[row : row + 1] for one in steps))
            assert visible(keys, mask, row) == wanted
            assert int(mask[row].sum()) == prompt.shape[2] + step + 1


def test_rows_keep_their_tokens_when_one_moves_and_the_cache_grows():
    cache = SlotCache(layers=1, bits=0, dtype=torch.float32)
    prompts = [random_states(1, HEADS, length, HEAD_DIM, seed=length) for length in (3, 4, 600)]
    before = cache.capacity
    for row, states in zip((0, 1, 9), prompts, strict=True):
        cache.begin_prompt(row, states.shape[2])
        keys, values = cache.update(states, -states, 0)
        assert torch.equal(keys, states)
        assert torch.equal(values, -states)
        assert cache.get_seq_length() == 0
    assert cache.capacity > before
    cache.move_row(1, 0, 4)
    mask = cache.begin_step([4])
    new = random_states(1, HEADS, 1, HEAD_DIM, seed=1)
    keys, _ = cache.update(new, new, 0)
    assert visible(keys, mask, 0) == as_set(prompts[1], new)


def test_states_are_quantized_on_entry():
    cache = SlotCache(layers=1, bits=4, dtype=torch.float16)
    cache.begin_prompt(0, 3)
    states = random_states(1, HEADS, 3, HEAD_DIM, seed=1)
    keys, _ = cache.update(states, states, 0)
    assert torch.equal(keys, fake_quantize(states, 4, torch.float16))
    assert not math.isclose(float((keys - states).abs().max()), 0.0, abs_tol=1e-3)
