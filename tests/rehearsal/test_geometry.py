"""The geometry checkpoint, scaled down: its shards and index, and a model that computes what it should."""

import json
from pathlib import Path
from typing import Any

import pytest
import safetensors
import torch
import transformers

from fixtures.standin.checkpoint import Shape
from fixtures.standin.geometry import write_geometry

MEGABYTE = 1_000_000
TINY = Shape(
    vocab_size=1400,
    hidden_size=256,
    intermediate_size=384,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The geometry checkpoint, scaled down, in several shards."""
    folder = tmp_path_factory.mktemp("geometry") / "internlm2_5-tiny-chat"
    write_geometry(folder, seed=3, shape=TINY, shard_bytes=2 * MEGABYTE)
    return folder


def test_geometry_is_sharded_with_an_index(tiny: Path) -> None:
    index = json.loads((tiny / "model.safetensors.index.json").read_text(encoding="utf-8"))
    files = sorted(set(index["weight_map"].values()))
    assert len(files) > 1
    assert set(index["weight_map"]) == set(TINY.weights())
    total = 0
    for file in files:
        with safetensors.safe_open(tiny / file, "pt") as part:
            for name in part.keys():  # noqa: SIM118
                weight = part.get_tensor(name)
                assert tuple(weight.shape) == TINY.weights()[name]
                assert index["weight_map"][name] == file
                total += weight.numel() * 2
                if weight.dim() == 2:
                    assert abs(weight.float().std().item() - 0.02) < 0.001
                    assert abs(weight.float().mean().item()) < 0.001
    assert index["metadata"]["total_size"] == total == 2 * TINY.parameters()


def load(folder: Path) -> Any:
    loaded = transformers.AutoModelForCausalLM.from_pretrained(
        folder, trust_remote_code=True, torch_dtype=torch.float32
    )
    return loaded.eval()


def test_cached_steps_and_left_padding_change_nothing(tiny: Path) -> None:
    model = load(tiny)
    torch.manual_seed(0)
    ids = torch.randint(9, 1200, (2, 24))
    with torch.no_grad():
        whole = model(ids).logits
        first = model(ids[:, :15], use_cache=True)
        second = model(ids[:, 15:20], past_key_values=first.past_key_values)
        steps = [first.logits, second.logits]
        cache = second.past_key_values
        for position in range(20, 24):
            step = model(ids[:, position : position + 1], past_key_values=cache)
            steps.append(step.logits)
            cache = step.past_key_values
        assert torch.allclose(torch.cat(steps, 1), whole, atol=1e-5)
        padded = torch.cat((torch.full((2, 5), 2), ids), 1)
        mask = (torch.arange(29) >= 5).long().expand(2, 29)
        plain = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=6, do_sample=False)
        shifted = model.generate(padded, attention_mask=mask, max_new_tokens=6, do_sample=False)
        assert torch.equal(plain[:, 24:], shifted[:, 29:])


def test_fused_projection_is_grouped_as_internlm2_lays_it_out(tiny: Path) -> None:
    """Per key-value head: its query heads, its key, its value. Checked against attention written the long way."""
    model = load(tiny)
    attention = model.model.layers[0].attention
    hidden = torch.randn(1, 5, TINY.hidden_size, generator=torch.Generator().manual_seed(1))
    cos, sin = torch.ones(1, 5, TINY.head_dim), torch.zeros(1, 5, TINY.head_dim)
    with torch.no_grad():
        computed = attention(hidden, rotary=(cos, sin), mask=None, cache=None)
        rows = attention.wqkv.weight.view(2, 4, TINY.head_dim, TINY.hidden_size)
        heads = []
        for head in range(4):
            pair = rows[head // 2]
            query, key, value = (hidden[0] @ pair[slot].T for slot in (head % 2, 2, 3))
            scores = (query @ key.T / TINY.head_dim**0.5).masked_fill(torch.ones(5, 5).triu(1).bool(), float("-inf"))
            heads.append(scores.softmax(-1) @ value)
        expected = attention.wo(torch.cat(heads, -1))
    assert torch.allclose(computed[0], expected, atol=1e-5)
