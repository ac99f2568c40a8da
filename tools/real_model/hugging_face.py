"""A GGUF of Qwen2 as a folder in Hugging Face's format: weights in bf16, one block of rows at a time.

What is not in the GGUF is not made up: `generation_config.json` names the tokens at which an answer ends and nothing of
how to sample.
"""

import json
import struct
from collections.abc import Callable, Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from gguf import GGUFReader, ReaderTensor, dequantize

from tools.real_model.pieces import Model
from tools.real_model.tokenizer import tokenizer_files

SHARD_BYTES: Final = 1_000_000_000
BLOCK_ELEMENTS: Final = 4_000_000
"""Weights that are dequantized at once; they take some 100 MB on the way."""

WHOLE_MODEL: Final = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
}
OF_LAYER: Final = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}

CARD: Final = """---
license: {licence}
base_model: Qwen/{name}
---

# {name}

{name} of the Qwen team, {source}, {licence}. Joined from {origin}, whose GGUF has weights of about 4 bits (Q4_K_M), and
written in bf16 by `python -m tools.real_model`. Changed against the published model: the weights are rounded so, the
output layer is kept apart from the embeddings, and `<tool_call>` is written in several tokens instead of one.
"""


def write_folder(model: Model, gguf: Path, folder: Path, tell: Callable[[str], None]) -> None:
    """Write the model into a new folder."""
    folder.mkdir(parents=True)
    reader = GGUFReader(gguf)
    _write_weights(reader.tensors, folder, tell)
    tied = not any(tensor.name == "output.weight" for tensor in reader.tensors)
    fields = {name: field.contents() for name, field in reader.fields.items()}
    eos, pad = fields["tokenizer.ggml.eos_token_id"], fields["tokenizer.ggml.padding_token_id"]
    _dump(folder / "config.json", config(fields, tied=tied))
    _dump(folder / "generation_config.json", {"eos_token_id": [eos, pad], "pad_token_id": pad})
    for name, content in tokenizer_files(fields).items():
        _dump(folder / name, content)
    card = CARD.format(name=model.name, source=model.source, licence=model.licence, origin=model.origin)
    (folder / "README.md").write_text(card, encoding="utf-8")


def tensor_name(name: str) -> str:
    """`blk.3.attn_q.bias` -> `model.layers.3.self_attn.q_proj.bias`. Source: llama.cpp's gguf-py, tensor_mapping.py."""
    if name.startswith("blk."):
        _, layer, module, kind = name.split(".")
        return f"model.layers.{layer}.{OF_LAYER[module]}.{kind}"
    module, kind = name.split(".")
    return f"{WHOLE_MODEL[module]}.{kind}"


def bfloat16(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    """Round finite float32 to the bits of the nearest bf16, to the even one of two."""
    bits = values.view(np.uint32)
    rounded: npt.NDArray[np.uint16] = ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)
    return rounded


def shards(tensors: list[ReaderTensor]) -> list[list[ReaderTensor]]:
    """The tensors in order, cut into shards of at most SHARD_BYTES; a larger tensor stands alone."""
    parts: list[list[ReaderTensor]] = []
    room = 0
    for tensor in tensors:
        if not parts or _bytes(tensor) > room:
            parts.append([])
            room = SHARD_BYTES
        parts[-1].append(tensor)
        room -= _bytes(tensor)
    return parts


def config(fields: dict[str, Any], *, tied: bool) -> dict[str, Any]:
    """Make config.json of the GGUF's fields.

    :param tied: the embeddings are the output layer as well.
    """
    layers = fields["qwen2.block_count"]
    return {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "attention_dropout": 0.0,
        "bos_token_id": fields["tokenizer.ggml.bos_token_id"],
        "eos_token_id": fields["tokenizer.ggml.eos_token_id"],
        "hidden_act": "silu",
        "hidden_size": fields["qwen2.embedding_length"],
        "initializer_range": 0.02,
        "intermediate_size": fields["qwen2.feed_forward_length"],
        "max_position_embeddings": fields["qwen2.context_length"],
        "max_window_layers": layers,
        "num_attention_heads": fields["qwen2.attention.head_count"],
        "num_hidden_layers": layers,
        "num_key_value_heads": fields["qwen2.attention.head_count_kv"],
        # A float32 there: 9.999999974752427e-07.
        "rms_norm_eps": float(f"{fields['qwen2.attention.layer_norm_rms_epsilon']:.6g}"),
        "rope_theta": fields["qwen2.rope.freq_base"],
        "sliding_window": None,
        "tie_word_embeddings": tied,
        "torch_dtype": "bfloat16",
        # The first that knows Qwen2. Without a version, transformers 4.57 warns that the tokenizer may be Mistral's.
        "transformers_version": "4.37.0",
        "use_cache": True,
        "use_sliding_window": False,
        "vocab_size": len(fields["tokenizer.ggml.tokens"]),
    }


def _bytes(tensor: ReaderTensor) -> int:
    return 2 * int(tensor.n_elements)


def _write_weights(tensors: list[ReaderTensor], folder: Path, tell: Callable[[str], None]) -> None:
    parts, placed = shards(tensors), {}
    for number, part in enumerate(parts, start=1):
        file = f"model-{number:05d}-of-{len(parts):05d}.safetensors"
        _write_shard(part, folder / file)
        placed.update({tensor_name(tensor.name): file for tensor in part})
        tell(f"shard {number} of {len(parts)} is written")
    index = {"metadata": {"total_size": sum(map(_bytes, tensors))}, "weight_map": placed}
    _dump(folder / "model.safetensors.index.json", index)


def _write_shard(tensors: list[ReaderTensor], file: Path) -> None:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for tensor in tensors:
        start, end = end, end + _bytes(tensor)
        shape = [int(length) for length in reversed(tensor.shape)]  # a GGUF names the fastest first
        header[tensor_name(tensor.name)] = {"dtype": "BF16", "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # so that the weights are aligned
    with file.open("wb") as stream:
        stream.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors:
            for block in _blocks(tensor):
                stream.write(block.tobytes())


def _blocks(tensor: ReaderTensor) -> Iterator[npt.NDArray[np.uint16]]:
    """A tensor's weights in bf16, some rows at a time."""
    rows = max(1, BLOCK_ELEMENTS // prod(int(length) for length in tensor.shape[:-1]))
    for start in range(0, len(tensor.data), rows):
        yield bfloat16(np.ascontiguousarray(dequantize(tensor.data[start : start + rows], tensor.tensor_type)))


def _dump(file: Path, content: Mapping[str, Any]) -> None:
    file.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
