"""A checkpoint of a few hundred bytes with all the files of a real one, to be broken by tests."""

import json
import struct
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from fixtures.lmdeploy.families import Architecture
from fixtures.model.artefact.tensors import Floats
from fixtures.standin.checkpoint import ARCHITECTURE, INTERNLM2_5_1_8B
from tools.artefact.stored import WEIGHTS, write_all

TINY: Final = {
    "vocab_size": 64, "hidden_size": 64, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 32,
}  # fmt: skip


def write_safetensors(file: Path, names: list[str]) -> None:
    """A valid file with one BF16 tensor of 4 elements per name."""
    header = {
        name: {"dtype": "BF16", "shape": [2, 2], "data_offsets": [8 * number, 8 * number + 8]}
        for number, name in enumerate(names)
    }
    text = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text + b"\1" * 8 * len(names))


def write_checkpoint(folder: Path, shards: int = 2, **config: Any) -> Path:
    """A whole checkpoint, sharded as the real 1.8B is."""
    folder.mkdir(parents=True)
    described = {"architectures": [ARCHITECTURE], **asdict(INTERNLM2_5_1_8B), **config}
    (folder / "config.json").write_text(json.dumps(described))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "tokenizer_config.json").write_text("{}")
    if shards == 0:
        write_safetensors(folder / "model.safetensors", ["output.weight"])
        return folder
    placed = {}
    for number in range(1, shards + 1):
        name = f"model-{number:05}-of-{shards:05}.safetensors"
        placed[f"layer.{number}"] = name
        write_safetensors(folder / name, [f"layer.{number}"])
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": placed}))
    return folder


def random_weights(architecture: str) -> dict[str, Floats]:
    """Tensors of a tiny model of a family: norms of ones, biases of zeros, and weights as before training."""
    random = np.random.default_rng(0)
    shapes = Architecture.of({"architectures": [architecture], **TINY}).weights()
    return {
        name: np.full(shape, float("norm" in name), np.float32)
        if len(shape) == 1
        else random.normal(0, 0.02, shape).astype(np.float32)
        for name, shape in shapes.items()
    }


def write_weights(folder: Path, architecture: str, weights: dict[str, Floats], **config: Any) -> Path:
    """A whole checkpoint of these tensors, not sharded."""
    folder.mkdir(parents=True)
    named = {"architectures": [architecture], "model_type": architecture.removesuffix("ForCausalLM").lower()}
    (folder / "config.json").write_text(json.dumps({**named, **TINY, **config}))
    (folder / "tokenizer.json").write_text("{}")
    write_all(folder / WEIGHTS, {name: ("F32", values) for name, values in weights.items()})
    return folder
