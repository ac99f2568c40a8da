"""Layers are read back as lmdeploy's quantizer packs them."""

import numpy as np
import pytest
import torch

from fixtures.model.artefact.rounding import Quantized, dequantized


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
    stored = Quantized(packed.qweight.numpy(), packed.qzeros.numpy(), packed.scales.float().numpy(), str(dtype))
    found = dequantized(stored, 128)
    assert found.dtype == np.float32
    assert torch.equal(torch.from_numpy(found).to(dtype), rounded)
