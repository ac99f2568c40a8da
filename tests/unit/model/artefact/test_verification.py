"""Honest artefacts pass, and each way in which one goes wrong is found with its layer and its cause."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fixtures.errors import CheckpointError
from fixtures.lmdeploy.families import Architecture, families
from fixtures.model.artefact.tensors import as_float, rounded
from fixtures.model.artefact.verification import Stopped, verify
from fixtures.standin.checkpoint import ARCHITECTURE, STANDIN
from fixtures.standin.tokenizer_files import TEMPLATE
from tools.artefact.corruptions import CATALOGUE, Corruption, apply
from tools.artefact.quantizer import quantize_folder
from tools.artefact.stored import WEIGHTS, read_all, write_all

LAYERS = 2


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stand-in, cut down."""
    folder = tmp_path_factory.mktemp("source") / "internlm2_5-cut-chat"
    shutil.copytree(STANDIN, folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": LAYERS}), encoding="utf-8")
    kept = tuple(f"model.layers.{number}." for number in range(LAYERS))
    tensors = read_all(STANDIN)
    write_all(
        folder / WEIGHTS,
        {name: tensor for name, tensor in tensors.items() if name.startswith(kept) or ".layers." not in name},
    )
    return folder


@pytest.fixture(scope="session")
def honest(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its artefact: bfloat16, groups of 128."""
    return quantize_folder(source, tmp_path_factory.mktemp("honest") / "w4a16")


@pytest.mark.parametrize(
    ("dtype", "group", "seed"), [("BF16", 128, 0), ("BF16", 64, 1), ("F16", 128, 2), ("F16", 64, 3)]
)
def test_honest_artefact_is_never_flagged(dtype: str, group: int, seed: int, source: Path, tmp_path: Path) -> None:
    result = verify(source, quantize_folder(source, tmp_path / "w4a16", dtype, group, seed))
    assert [str(finding) for finding in result.findings] == []
    assert result.found_bytes == result.predicted_bytes < result.source_bytes
    assert (result.dtype, result.group_size) == (dtype, group)
    assert len(result.layers) == 2 * len(families()[ARCHITECTURE].layers)
    assert all(0.02 < layer.error < 0.3 for layer in result.layers)


@pytest.mark.parametrize("corruption", CATALOGUE, ids=[corruption.name for corruption in CATALOGUE])
def test_corruption_is_caught_and_named(corruption: Corruption, source: Path, honest: Path, tmp_path: Path) -> None:
    result = verify(source, apply(corruption, source, honest, tmp_path / "damaged"))
    assert corruption.caught_by(result.findings), [str(finding) for finding in result.findings]


def test_any_higher_bit_of_any_code_is_caught(source: Path, honest: Path, tmp_path: Path) -> None:
    """A step of two or more leaves the half step that rounding allows, wherever it is."""
    random = np.random.default_rng(7)
    tensors, layer = read_all(honest), "model.layers.0.feed_forward.w2"
    words = tensors[f"{layer}.qweight"][1].view(np.uint32).reshape(-1)
    for place in random.choice(words.size, 200, replace=False):
        words[place] ^= np.uint32(1 << (4 * int(random.integers(8)) + int(random.integers(1, 4))))
    shutil.copytree(honest, tmp_path / "flipped")
    write_all(tmp_path / "flipped" / WEIGHTS, tensors)
    result = verify(source, tmp_path / "flipped")
    assert [finding.place for finding in result.findings] == [layer]
    assert next(found for found in result.layers if found.name == layer).furthest > 1


def test_own_template_may_replace_one_without_tools(source: Path, honest: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    shutil.copytree(source, plain)
    (plain / "chat_template.jinja").write_text(
        "{{ bos_token }}{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + "
        "'<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    )
    served = tmp_path / "served"
    shutil.copytree(honest, served)
    (served / "chat_template.jinja").write_text(TEMPLATE.read_text(encoding="utf-8"))
    assert verify(plain, served).findings == ()
    (plain / "chat_template.jinja").write_text("{% for message in messages %}{{ message['content'] }}{% endfor %}")
    (finding,) = verify(plain, served).findings
    assert finding.what.id == "artefact.template_renders_otherwise"


def test_unreadable_source_is_an_error_and_no_finding(honest: Path, source: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(source, broken)
    (broken / WEIGHTS).write_bytes((broken / WEIGHTS).read_bytes()[:-1])
    for unfit in (broken, honest):
        with pytest.raises(CheckpointError, match="the source cannot be read"):
            verify(unfit, honest)


def test_folder_that_is_no_checkpoint_is_a_finding(source: Path, tmp_path: Path) -> None:
    (finding,) = verify(source, tmp_path).findings
    assert "there is no config.json" in str(finding)
    (tmp_path / "config.json").write_text(json.dumps({"quantization_config": None}))
    assert any("no weights" in str(finding) for finding in verify(source, tmp_path).findings)


def test_threads_find_what_one_finds(source: Path, honest: Path, tmp_path: Path) -> None:
    (swapped,) = (corruption for corruption in CATALOGUE if corruption.name == "two decoder layers swapped")
    damaged = apply(swapped, source, honest, tmp_path / "damaged")
    alone, shared = ([verify(source, folder, threads=threads) for folder in (honest, damaged)] for threads in (1, 2))
    assert [result.findings for result in shared] == [result.findings for result in alone]
    assert [result.layers for result in shared] == [result.layers for result in alone]


def test_verification_stops_when_asked(source: Path, honest: Path) -> None:
    with pytest.raises(Stopped):
        verify(source, honest, stopped=lambda: True)


FAMILIES: list[dict[str, Any]] = [
    {"architectures": ["Qwen2ForCausalLM"], "num_key_value_heads": 1},
    {"architectures": ["Qwen2ForCausalLM"], "num_key_value_heads": 2},
    {"architectures": ["Qwen3ForCausalLM"], "num_key_value_heads": 1, "tie_word_embeddings": True},
    {"architectures": ["LlamaForCausalLM"], "num_key_value_heads": 2, "attention_bias": True},
    {"architectures": ["InternLM3ForCausalLM"], "num_key_value_heads": 1, "qkv_bias": True, "bias": True},
]


def made_up(folder: Path, config: dict[str, Any]) -> Path:
    """A source of random weights, in two files with an index."""
    shape = {"vocab_size": 16, "hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2,
             "num_attention_heads": 2, "torch_dtype": "bfloat16"}  # fmt: skip
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({**shape, **config}), encoding="utf-8")
    (folder / "tokenizer.json").write_text('{"model": {"vocab": {}}}', encoding="utf-8")
    random = np.random.default_rng(5)
    tensors = {
        name: ("BF16", rounded(random.normal(1 if len(lengths) == 1 else 0, 0.1, lengths).astype(np.float32), "BF16"))
        for name, lengths in Architecture.of({**shape, **config}).weights().items()
    }
    half = len(tensors) // 2
    placed = {}
    for number, names in enumerate((list(tensors)[:half], list(tensors)[half:]), 1):
        file = f"model-{number:05}-of-00002.safetensors"
        write_all(folder / file, {name: tensors[name] for name in names})
        placed |= dict.fromkeys(names, file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": placed}), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "config", FAMILIES, ids=lambda config: f"{config['architectures'][0]}-{config['num_key_value_heads']}"
)
def test_other_families_are_verified_weight_by_weight(config: dict[str, Any], tmp_path: Path) -> None:
    source = made_up(tmp_path / "source", config)
    quantized = quantize_folder(source, tmp_path / "w4a16")
    result = verify(source, quantized)
    assert [str(finding) for finding in result.findings] == []
    assert result.found_bytes == result.predicted_bytes
    assert len(result.layers) == 2 * 7
    stored = read_all(quantized)
    biases = [name for name in stored if name.endswith(".bias")]
    for name in [*biases, "model.layers.0.self_attn.q_proj.scales", "model.norm.weight"]:
        dtype, values = stored[name]
        damaged = as_float(values, dtype)
        damaged.reshape(-1)[3] *= 1.5
        write_all(quantized / WEIGHTS, {**stored, name: (dtype, rounded(damaged, dtype))})
        assert [finding.place for finding in verify(source, quantized).findings] == [name.rpartition(".")[0]]


def test_missing_bias_is_named(tmp_path: Path) -> None:
    source = made_up(tmp_path / "source", FAMILIES[0])
    quantized = quantize_folder(source, tmp_path / "w4a16")
    stored = read_all(quantized)
    del stored["model.layers.1.self_attn.v_proj.bias"]
    write_all(quantized / WEIGHTS, stored)
    assert "model.layers.1.self_attn.v_proj" in str(verify(source, quantized).findings[0])
