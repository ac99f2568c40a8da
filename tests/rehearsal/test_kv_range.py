"""What the weights foretell of the keys is what a forward pass has, and a cache that loses them costs."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from fixtures.lmdeploy.families import Architecture
from fixtures.model.artefact.tensors import TensorFiles
from fixtures.model.checkpoint import read_config
from fixtures.model.kv_range import key_ranges
from fixtures.rehearsal.checkpoint import load
from fixtures.rehearsal.kv_int4 import SlotCache
from fixtures.standin.checkpoint import STANDIN
from tests.unit.tiny_checkpoint import TINY, random_weights, write_weights
from tools.kv_range import Sample, key_outputs, loss, measured_ranges

TOKENS = torch.randint(0, TINY["vocab_size"], (1, 200), generator=torch.Generator().manual_seed(1))
SAMPLE = Sample(TOKENS, 1)


def loaded_of(folder: Path):
    architecture = Architecture.of(read_config(folder))
    return load(folder, model_format=None, kv_bits=0, trust_remote_code=True), architecture


@pytest.mark.parametrize("architecture", ["LlamaForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM"])
def test_ranges_of_a_forward_pass_are_those_foretold(tmp_path, architecture):
    weights = random_weights(architecture)
    for name in weights:
        if name.endswith("k_proj.bias"):
            weights[name][3] = 30
    folder = write_weights(tmp_path / "model", architecture, weights)
    measured = measured_ranges(*loaded_of(folder), SAMPLE)
    assert measured == pytest.approx(key_ranges(TensorFiles(folder), loaded_of(folder)[1]), rel=0.4)


def test_keys_of_the_stand_in_are_told_from_its_queries_and_values():
    loaded, architecture = loaded_of(STANDIN)
    cache = SlotCache(architecture.decoders, 0, torch.float32)
    with key_outputs(loaded.model, architecture) as outputs:
        loss(loaded, SAMPLE, cache)
    for cached, keys in zip(cache._keys, outputs, strict=True):  # rotated, which keeps their length
        assert torch.allclose(cached[0, :, : TOKENS.shape[1]].norm(dim=-1), keys.norm(dim=-1), rtol=1e-4)


def test_cache_that_loses_the_keys_costs():
    loaded, architecture = loaded_of(STANDIN)

    def cost(bits: int) -> float:
        return loss(loaded, SAMPLE, SlotCache(architecture.decoders, bits, torch.float32))

    assert abs(cost(8) - cost(0)) < abs(cost(1) - cost(0))


def test_weights_that_are_stored_once_are_tied(tmp_path):
    weights = random_weights("LlamaForCausalLM")
    del weights["lm_head.weight"]
    folder = write_weights(tmp_path / "model", "LlamaForCausalLM", weights, tie_word_embeddings=True)
    wanted = AutoModelForCausalLM.from_pretrained(folder, torch_dtype=torch.float32).eval()
    with torch.inference_mode():
        assert torch.equal(loaded_of(folder)[0].model(TOKENS).logits, wanted(TOKENS).logits)
