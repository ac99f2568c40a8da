"""Reading W4A16 checkpoints back: the numbers of lmdeploy's own quantizer, and a refusal of what is not whole."""

import json
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from fixtures.errors import CheckpointError, QuantizationError
from fixtures.rehearsal import awq

DECLARED = {"quant_method": "awq", "version": "gemm", "bits": 4, "group_size": 128, "zero_point": True}


def layer(dtype=torch.float16):
    """lmdeploy's own rounding of a weight, and the three tensors of its own packed layer."""
    from lmdeploy.lite.quantization import WeightQuantizer
    from lmdeploy.lite.quantization.awq import pseudo_quantize_tensor
    from lmdeploy.lite.quantization.modules import WeightOnlyQLinear
    from lmdeploy.lite.utils import QParams

    weight = torch.randn(48, 256, generator=torch.Generator().manual_seed(0)).to(dtype)
    codes, scales, zeros = pseudo_quantize_tensor(weight.clone(), 4, 128, return_scale_zeros=True)
    linear = torch.nn.Linear(256, 48, bias=False)
    linear.weight.data = codes
    quantizer = WeightQuantizer(4, False, "per_group", 128)
    packed = WeightOnlyQLinear.from_linear(linear, quantizer, qparams=QParams(scales, zeros))
    return pseudo_quantize_tensor(weight, 4, 128), {part: getattr(packed, part) for part in awq.PARTS}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A quantized folder of one layer and one dense tensor."""
    _, tensors = layer()
    named = {f"model.layers.0.attention.wo.{part}": tensor for part, tensor in tensors.items()}
    save_file({**named, "model.norm.weight": torch.ones(16)}, tmp_path / "model.safetensors")
    declare(tmp_path, **DECLARED)
    return tmp_path


def declare(folder: Path, **quantization) -> None:
    config = {"architectures": ["InternLM2ForCausalLM"]}
    if quantization:
        config["quantization_config"] = quantization
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=["float16", "bfloat16"])
def test_dequantizing_gives_lmdeploys_own_numbers_bit_for_bit(dtype):
    rounded, tensors = layer(dtype)
    weight = awq.dequantize(**tensors)
    assert weight.dtype == dtype
    assert torch.equal(weight, rounded)


def test_folder_reads_back_dense(folder):
    weights = awq.dense_weights(folder)
    assert set(weights) == {"model.layers.0.attention.wo.weight", "model.norm.weight"}
    assert torch.equal(weights["model.layers.0.attention.wo.weight"], layer()[0])


def test_dense_folder_reads_back_as_it_is(tmp_path):
    declare(tmp_path)
    save_file({"model.norm.weight": torch.ones(4)}, tmp_path / "model.safetensors")
    assert not awq.is_quantized(tmp_path)
    assert set(awq.dense_weights(tmp_path)) == {"model.norm.weight"}


@pytest.mark.parametrize(
    "change",
    [{"bits": 8}, {"quant_method": "gptq"}, {"version": "gemv"}, {"zero_point": False}, {"group_size": 64}],
    ids=lambda change: next(iter(change)),
)
def test_another_format_is_refused_with_its_value(folder, change):
    declare(folder, **DECLARED | change)
    with pytest.raises(QuantizationError, match=str(next(iter(change.values())))):
        awq.dense_weights(folder)


@pytest.mark.parametrize("quantized", [True, False])
def test_declaration_that_contradicts_the_weights_is_refused(folder, quantized):
    if quantized:
        declare(folder)
    else:
        save_file({"model.norm.weight": torch.ones(4)}, folder / "model.safetensors")
    with pytest.raises(QuantizationError, match="contradict"):
        awq.dense_weights(folder)


def cut_short(tensors, part):
    tensors[part] = tensors[part][:, :1]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda tensors: tensors.pop("qzeros"), "is not a complete AWQ layer"),
        (lambda tensors: tensors.pop("scales"), "is not a complete AWQ layer"),
        *((partial(cut_short, part=part), "fit together|divided") for part in awq.PARTS),
        (lambda tensors: tensors.update(qweight=tensors["qweight"][:128]), "2 groups for 128 input channels"),
    ],
)
def test_layer_that_does_not_fit_together_is_refused(folder, spoil, said):
    _, tensors = layer()
    spoil(tensors)
    stored = {f"model.wo.{part}": tensor.contiguous() for part, tensor in tensors.items()}
    save_file(stored, folder / "model.safetensors")
    with pytest.raises(QuantizationError, match=rf"model\.wo.*({said})"):
        awq.dense_weights(folder)


def test_file_cut_short_is_named(folder):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        awq.dense_weights(folder)


def test_folder_without_weights_or_config_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"config\.json"):
        awq.dense_weights(tmp_path)
    declare(tmp_path, **DECLARED)
    with pytest.raises(CheckpointError, match="no safetensors"):
        awq.dense_weights(tmp_path)
