"""A checkpoint of some kilobytes with all the files of a real one, to be broken by tests."""

import json
import struct
from pathlib import Path
from typing import Any, Final

import numpy as np

from fixtures.lmdeploy.families import Architecture, families
from fixtures.model.artefact.tensors import Floats
from fixtures.standin.checkpoint import ARCHITECTURE
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


TOKENS: Final = ("<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>", "one", "two")


def write_checkpoint(folder: Path, shards: int = 2, architecture: str = ARCHITECTURE, **config: Any) -> Path:
    """A whole checkpoint of a family, sharded as the real 1.8B is, with code where the family brings some."""
    family = families()[architecture]
    kind = architecture.removesuffix("ForCausalLM")
    described = {"architectures": [architecture], "model_type": kind.lower(), **TINY, **config}
    if family.own_code:
        code = (f"configuration_{kind.lower()}", f"modeling_{kind.lower()}")
        described = {"auto_map": {"AutoConfig": f"{code[0]}.C", "AutoModelForCausalLM": f"{code[1]}.M"}, **described}
    folder.mkdir(parents=True)
    if family.own_code:
        (folder / f"{code[0]}.py").write_text("class C: ...\n")
        (folder / f"{code[1]}.py").write_text(f"from .{code[0]} import C\nclass M: ...\n")
    added = [{"id": number, "content": token, "special": True} for number, token in enumerate(TOKENS[:5])]
    vocabulary = {token: number for number, token in enumerate(TOKENS)}
    write_json(folder / "config.json", described)
    write_json(folder / "tokenizer.json", {"added_tokens": added, "model": {"type": "BPE", "vocab": vocabulary}})
    template = "{% for message in messages %}<|im_start|>{{ message.role }}{% endfor %}"
    write_json(folder / "tokenizer_config.json", {"chat_template": template, "eos_token": "</s>"})
    shapes = Architecture.of(described).weights()
    random = np.random.default_rng(0)
    tensors = {name: ("BF16", random.integers(1, 0x3F80, shape, np.uint16)) for name, shape in shapes.items()}
    if shards == 0:
        write_all(folder / WEIGHTS, tensors)
        return folder
    placed = {name: f"model-{number % shards + 1:05}-of-{shards:05}.safetensors" for number, name in enumerate(tensors)}
    for file in set(placed.values()):
        write_all(folder / file, {name: tensor for name, tensor in tensors.items() if placed[name] == file})
    write_json(folder / "model.safetensors.index.json", {"weight_map": placed})
    return folder


def write_json(file: Path, content: object) -> None:
    """A small file."""
    file.write_text(json.dumps(content), encoding="utf-8")


def sentencepiece(*tokens: str) -> bytes:
    """A tokenizer.model: a protobuf of pieces, and the trainer's and normalizer's settings behind them."""
    entries = [bytes([0x0A, len(token.encode())]) + token.encode() + b"\x15\0\0\0\0" for token in tokens]
    return b"".join(bytes([0x0A, len(entry)]) + entry for entry in entries) + b"\x12\x02\x18\x02\x1a\x00"


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
