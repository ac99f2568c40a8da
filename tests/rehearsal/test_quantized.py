"""The engine reads what lmdeploy's quantizer wrote on the CPU."""

from __future__ import annotations

import pytest
import torch

from fixtures.rehearsal import awq
from fixtures.standin.checkpoint import STANDIN


def lmdeploys_layer(weight):
    """lmdeploy's own rounding of a weight, and its own packed layer."""
    from lmdeploy.lite.quantization import WeightQuantizer
    from lmdeploy.lite.quantization.awq import pseudo_quantize_tensor
    from lmdeploy.lite.quantization.modules import WeightOnlyQLinear
    from lmdeploy.lite.utils import QParams

    rounded = pseudo_quantize_tensor(weight.clone(), 4, 128)
    codes, scales, zeros = pseudo_quantize_tensor(weight.clone(), 4, 128, return_scale_zeros=True)
    linear = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    linear.weight.data = codes
    quantizer = WeightQuantizer(4, False, "per_group", 128)
    packed = WeightOnlyQLinear.from_linear(linear, quantizer, qparams=QParams(scales, zeros))
    return rounded, packed


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=["float16", "bfloat16"])
def test_dequantizing_gives_lmdeploys_own_numbers_bit_for_bit(dtype):
    weight = torch.randn(48, 384, generator=torch.Generator().manual_seed(0)).to(dtype)
    rounded, packed = lmdeploys_layer(weight)
    assert torch.equal(awq.dequantize(packed.qweight, packed.qzeros, packed.scales), rounded)


def test_written_folder_reads_back_near_the_original(quantized):
    """AWQ moves scales between norms and layers, so single weights differ: compare what neither side can move."""
    dense = awq.dense_weights(quantized.folder)
    original = awq.dense_weights(STANDIN)
    assert set(dense) == set(original)
    for name, weight in original.items():
        assert dense[name].shape == weight.shape
    for name in ("model.tok_embeddings.weight", "output.weight", "model.norm.weight"):
        assert torch.equal(dense[name].float(), original[name].float())
    # The norm before wqkv carries the inverse of wqkv's input scales: their product is the original's but for
    # 4-bit rounding, at most half a step of 1/15 of a group's span, about 9 % of the weights' size.
    for layer in range(4):
        norm, wqkv = (f"model.layers.{layer}.{part}.weight" for part in ("attention_norm", "attention.wqkv"))
        before = original[wqkv].float() * original[norm].float()
        after = dense[wqkv].float() * dense[norm].float()
        error = (after - before).norm() / before.norm()
        assert 0.01 < error < 0.2, (layer, float(error))
