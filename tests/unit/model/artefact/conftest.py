"""A small source, the stand-in's first two decoder layers, and honest artefacts of it made without torch."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from fixtures.standin.checkpoint import STANDIN
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
