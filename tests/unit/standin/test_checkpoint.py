"""The stand-in's files: sizes, names and shapes of tensors, where generation stops."""

from __future__ import annotations

import json

from fixtures.model.safetensors_header import read_header
from fixtures.standin.checkpoint import STANDIN, STANDIN_SHAPE


def test_stored_tensors_are_those_of_the_shape() -> None:
    tensors = read_header(STANDIN / "model.safetensors")
    assert {name: tensor.shape for name, tensor in tensors.items()} == STANDIN_SHAPE.weights()
    assert {tensor.dtype for tensor in tensors.values()} == {"BF16"}


def test_generation_stops_at_the_turns_end() -> None:
    generation = json.loads((STANDIN / "generation_config.json").read_text(encoding="utf-8"))
    assert generation["eos_token_id"] == [2, 4]
