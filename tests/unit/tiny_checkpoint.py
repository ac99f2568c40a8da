"""A checkpoint of a few hundred bytes with all the files of a real one, to be broken by tests."""

import json
import struct
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fixtures.standin.checkpoint import ARCHITECTURE, INTERNLM2_5_1_8B


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
