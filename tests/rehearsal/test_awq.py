"""Reading W4A16 checkpoints back: the arithmetic and the refusals."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from fixtures.errors import AcceptanceError, CheckpointError, QuantizationError
from fixtures.rehearsal import awq
from fixtures.rehearsal.__main__ import widened
from fixtures.rehearsal.checkpoint import load
from fixtures.standin.checkpoint import STANDIN, Shape, write_config
from tests.unit.tiny_checkpoint import TINY, random_weights, write_weights
from tools.artefact.quantizer import quantize_folder
from tools.artefact.stored import WEIGHTS, read_all, write_all

LAYER = "model.layers.0.attention.wo"
TOKENS = torch.randint(0, TINY["vocab_size"], (1, 200), generator=torch.Generator().manual_seed(1))
SHAPE = Shape(
    vocab_size=32,
    hidden_size=256,
    intermediate_size=128,
    num_hidden_layers=1,
    num_attention_heads=2,
    num_key_value_heads=2,
)


@pytest.fixture(scope="module")
def dense(tmp_path_factory) -> Path:
    """A folder of one decoder layer in float16."""
    random = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("dense")
    write_config(folder, SHAPE)
    weights = {name: random.normal(1, 0.3, size).astype(np.float16) for name, size in SHAPE.weights().items()}
    write_all(folder / WEIGHTS, {name: ("F16", values) for name, values in weights.items()})
    return folder


@pytest.fixture
def folder(dense, tmp_path: Path) -> Path:
    """The same in W4A16."""
    return quantize_folder(dense, tmp_path / "w4a16", "F16")


def declare(folder: Path, quantization) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = quantization
    (folder / "config.json").write_text(json.dumps(config))


def test_weight_is_code_minus_zero_times_scale_of_its_group(folder):
    stored = {part: read_all(folder)[f"{LAYER}.{part}"][1] for part in ("qweight", "qzeros", "scales")}
    weight = awq.dense_weights(folder)[f"{LAYER}.weight"]
    assert weight.shape == (256, 256)
    assert weight.dtype == torch.float16
    for output, channel in ((0, 0), (3, 127), (3, 128), (13, 255)):
        group, nibble = channel // 128, (0, 4, 1, 5, 2, 6, 3, 7)[output % 8]
        code, zero = (
            int(stored[part].view(np.uint32)[row, output // 8]) >> (4 * nibble) & 15
            for part, row in (("qweight", channel), ("qzeros", group))
        )
        assert weight[output, channel] == np.float16((code - zero) * float(stored["scales"][group, output]))


def test_quantized_folder_has_the_names_of_the_dense_one_which_is_read_as_it_is(folder, dense):
    assert not awq.is_quantized(dense)
    weights, original = awq.dense_weights(folder), awq.dense_weights(dense)
    assert set(weights) == set(original) == set(SHAPE.weights())
    assert torch.equal(weights["output.weight"], original["output.weight"])
    assert all(torch.equal(original[name], torch.from_numpy(values)) for name, (_, values) in read_all(dense).items())


def test_bfloat16_is_read_as_such(dense, tmp_path):
    folder = quantize_folder(dense, tmp_path / "bf16")
    assert {weight.dtype for weight in awq.dense_weights(folder).values()} == {torch.bfloat16}


@pytest.mark.parametrize(
    "change",
    [{"bits": 8}, {"quant_method": "gptq"}, {"version": "gemv"}, {"zero_point": False}, {"group_size": 64}],
    ids=lambda change: next(iter(change)),
)
def test_another_format_is_refused_with_its_value(folder, change):
    declare(folder, awq.FORMAT | change)
    with pytest.raises(QuantizationError, match=str(next(iter(change.values())))):
        awq.dense_weights(folder)


@pytest.mark.parametrize("quantized", [True, False])
def test_declaration_that_contradicts_the_weights_is_refused(folder, dense, quantized):
    if quantized:
        declare(folder, None)
    else:
        shutil.copyfile(dense / WEIGHTS, folder / WEIGHTS)
    with pytest.raises(QuantizationError, match="contradict"):
        awq.dense_weights(folder)


@pytest.mark.parametrize(
    ("part", "spoil", "said"),
    [
        ("qzeros", None, "lacks qzeros"),
        ("scales", None, "lacks scales"),
        ("qweight", lambda values: values[:, :1], "holds"),
        ("qzeros", lambda values: values[:, :1], "qzeros (2, 1)"),
        ("scales", lambda values: values[:1], "1 groups for 256 inputs"),
    ],
)
def test_layer_that_does_not_fit_together_is_refused(folder, part, spoil, said):
    tensors = read_all(folder)
    dtype, values = tensors.pop(f"{LAYER}.{part}")
    if spoil:
        tensors[f"{LAYER}.{part}"] = (dtype, spoil(values))
    write_all(folder / WEIGHTS, tensors)
    with pytest.raises(QuantizationError, match=rf"attention\.wo is not a complete AWQ layer.*{re.escape(said)}"):
        awq.dense_weights(folder)


def test_folder_without_weights_or_config_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"config\.json"):
        awq.dense_weights(tmp_path)
    shutil.copyfile(STANDIN / "config.json", tmp_path / "config.json")
    with pytest.raises(AcceptanceError, match="no weights"):
        awq.dense_weights(tmp_path)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("biased", [True, False])
def test_widened_product_is_rounded_once(dtype, biased):
    """As kernels of that dtype round it, which add up in float32."""
    torch.manual_seed(0)
    states, weight, bias = (torch.randn(size).to(dtype) for size in ((7, 64), (32, 64), (32,)))
    exact = states.double() @ weight.double().T + (bias.double() if biased else 0)
    found = widened(torch.nn.functional.linear)(states, weight, bias if biased else None)
    assert found.dtype == dtype
    assert (found == exact.to(dtype)).double().mean() > 0.99


def test_weights_that_are_stored_once_are_tied(tmp_path):
    weights = random_weights("LlamaForCausalLM")
    del weights["lm_head.weight"]
    folder = write_weights(tmp_path / "model", "LlamaForCausalLM", weights, tie_word_embeddings=True)
    wanted = AutoModelForCausalLM.from_pretrained(folder, torch_dtype=torch.float32).eval()
    loaded = load(folder, model_format=None, kv_bits=0, trust_remote_code=True)
    with torch.inference_mode():
        assert torch.equal(loaded.model(TOKENS).logits, wanted(TOKENS).logits)
