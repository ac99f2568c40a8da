"""Reading W4A16 checkpoints back: the packing order, the arithmetic and the refusals."""

import json
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from fixtures.errors import CheckpointError, QuantizationError
from fixtures.rehearsal import awq

DECLARED = {"quant_method": "awq", "version": "gemm", "bits": 4, "group_size": 128, "zero_point": True}


def pack(codes):
    """Independent of the module: columns 0, 2, 4, 6, 1, 3, 5, 7 from the lowest nibble up."""
    words = []
    for row in codes.tolist():
        line = []
        for start in range(0, len(row), 8):
            even, odd = row[start : start + 8 : 2], row[start + 1 : start + 8 : 2]
            word = sum(code << 4 * nibble for nibble, code in enumerate(even + odd))
            line.append(word - 2**32 if word >= 2**31 else word)
        words.append(line)
    return torch.tensor(words, dtype=torch.int32)


def layer(channels=256, columns=16, seed=0):
    """A layer's three tensors, and the codes and zero points in them."""
    random = torch.Generator().manual_seed(seed)
    codes = torch.randint(0, 16, (channels, columns), generator=random)
    zeros = torch.randint(0, 16, (channels // 128, columns), generator=random)
    scales = torch.rand(channels // 128, columns, generator=random).half() + 0.01
    return {"qweight": pack(codes), "qzeros": pack(zeros), "scales": scales}, codes, zeros


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A quantized folder of one layer and one dense tensor."""
    tensors, _, _ = layer()
    named = {f"model.layers.0.attention.wo.{part}": tensor for part, tensor in tensors.items()}
    save_file({**named, "model.norm.weight": torch.ones(16)}, tmp_path / "model.safetensors")
    declare(tmp_path, **DECLARED)
    return tmp_path


def declare(folder: Path, **quantization) -> None:
    config = {"architectures": ["InternLM2ForCausalLM"]}
    if quantization:
        config["quantization_config"] = quantization
    (folder / "config.json").write_text(json.dumps(config))


def test_word_written_out_by_hand_is_unpacked():
    # From the highest hexadecimal digit down: columns 7, 5, 3, 1, 6, 4, 2, 0. The second word is negative.
    words = torch.tensor([[0x7531_6420], [-1]], dtype=torch.int32)
    assert awq.unpack(words).tolist() == [[0, 1, 2, 3, 4, 5, 6, 7], [15] * 8]


def test_weight_is_code_minus_zero_times_scale_of_its_group():
    tensors, codes, zeros = layer()
    weight = awq.dequantize(**tensors)
    assert weight.shape == (16, 256)
    assert weight.dtype == torch.float16
    for output, channel in ((0, 0), (3, 127), (3, 128), (15, 255)):
        group = channel // 128
        scale = tensors["scales"][group, output].double()
        exact = (codes[channel, output] - zeros[group, output]) * scale
        assert weight[output, channel] == exact.half()


def test_folder_reads_back_dense(folder):
    weights = awq.dense_weights(folder)
    assert set(weights) == {"model.layers.0.attention.wo.weight", "model.norm.weight"}
    tensors, _, _ = layer()
    assert torch.equal(weights["model.layers.0.attention.wo.weight"], awq.dequantize(**tensors))


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
    tensors, _, _ = layer()
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
