"""The range of keys is foretold from the weights alone, whatever the family calls them."""

from pathlib import Path

import numpy as np
import pytest

from fixtures.lmdeploy.families import Architecture
from fixtures.model.artefact.tensors import Floats, TensorFiles
from fixtures.model.checkpoint import read_config
from fixtures.model.kv_range import LIMIT, Ratios, key_ranges, rounding_noise
from fixtures.standin.checkpoint import STANDIN
from tests.unit.tiny_checkpoint import TINY, random_weights, write_weights

LAYER = "model.layers.1."
HEAD = TINY["head_dim"]


def ranges_of(folder: Path) -> Ratios:
    return key_ranges(TensorFiles(folder), Architecture.of(read_config(folder)))


def written(folder: Path, architecture: str, weights: dict[str, Floats]) -> Ratios:
    return ranges_of(write_weights(folder, architecture, weights))


def measured_noise(weight: Floats, gain: Floats, bias: Floats, bits: int) -> float:
    """Round the keys of many tokens, and hold the error against what differs between them."""
    inputs = np.random.default_rng(1).normal(size=(2000, len(gain)))
    inputs /= np.sqrt((inputs**2).mean(1, keepdims=True))
    keys = (inputs * gain) @ weight.T + bias
    low, high = keys.min(1, keepdims=True), keys.max(1, keepdims=True)
    step = (high - low) / (2**bits - 1)
    error = np.round((keys - low) / step) * step + low - keys
    return float(np.sqrt((error**2).mean() / keys.var(0).mean()))


@pytest.mark.parametrize("outlier", [0.0, 2.0, 40.0])
@pytest.mark.parametrize("bits", [4, 8])
def test_noise_is_that_of_keys_which_are_rounded(tmp_path: Path, outlier: float, bits: int) -> None:
    weights = random_weights("Qwen2ForCausalLM")
    gain = weights[f"{LAYER}input_layernorm.weight"] = np.linspace(0.2, 3, TINY["hidden_size"], dtype=np.float32)
    bias = weights[f"{LAYER}self_attn.k_proj.bias"]
    bias[HEAD + 5] = outlier
    noise = rounding_noise(written(tmp_path / "model", "Qwen2ForCausalLM", weights), bits)
    rows = weights[f"{LAYER}self_attn.k_proj.weight"][HEAD:]
    # A step as wide as the keys hides them all: its error is the whole spread, not a twelfth of the step's square.
    wanted = measured_noise(rows, gain, bias[HEAD:], bits)
    assert noise[1, 1] == pytest.approx(wanted, rel=0.35) or min(noise[1, 1], wanted) > 0.9


def test_bias_with_an_outlier_is_a_warning_and_one_without_is_none(tmp_path: Path) -> None:
    weights = random_weights("Qwen2ForCausalLM")
    weights[f"{LAYER}self_attn.k_proj.bias"] += 0.5
    assert rounding_noise(written(tmp_path / "level", "Qwen2ForCausalLM", weights), 4).mean() < LIMIT
    weights[f"{LAYER}self_attn.k_proj.bias"][3] = -20
    ranges = written(tmp_path / "outlier", "Qwen2ForCausalLM", weights)
    assert rounding_noise(ranges, 4).mean() > LIMIT
    assert np.unravel_index(ranges.argmax(), ranges.shape) == (1, 0)


def test_keys_of_a_fused_layer_are_found_between_queries_and_values(tmp_path: Path) -> None:
    apart, fused = random_weights("LlamaForCausalLM"), random_weights("InternLM2ForCausalLM")
    for number in range(TINY["num_hidden_layers"]):
        keys = apart[f"model.layers.{number}.self_attn.k_proj.weight"].reshape(2, 1, HEAD, -1)
        keys[:, :, 7] *= number + 2
        huge = np.full((2, 2, HEAD, keys.shape[3]), 1e6, np.float32)
        whole = np.concatenate([huge, keys, huge[:, :1]], 1)
        fused[f"model.layers.{number}.attention.wqkv.weight"] = whole.reshape(-1, keys.shape[3])
    wanted = written(tmp_path / "apart", "LlamaForCausalLM", apart)
    assert np.array_equal(written(tmp_path / "fused", "InternLM2ForCausalLM", fused), wanted)
    assert wanted[1].min() > wanted[0].max()


def test_norm_of_keys_decides_their_range_and_not_their_weight(tmp_path: Path) -> None:
    weights = random_weights("Qwen3ForCausalLM")
    plain = written(tmp_path / "plain", "Qwen3ForCausalLM", weights)
    weights[f"{LAYER}self_attn.k_proj.weight"] *= 50
    assert written(tmp_path / "larger", "Qwen3ForCausalLM", weights) == pytest.approx(plain, rel=1e-4)
    weights[f"{LAYER}self_attn.k_norm.weight"][3] = -20
    uneven = written(tmp_path / "uneven", "Qwen3ForCausalLM", weights)
    assert uneven[0] == pytest.approx(plain[0])
    assert (uneven[1] > 1.5 * plain[1]).all()


def test_stand_in_holds_in_four_bits() -> None:
    assert rounding_noise(ranges_of(STANDIN), 4).max() < LIMIT
