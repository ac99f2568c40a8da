"""The stand-in's files: sizes, names and shapes of tensors, where generation stops."""

from __future__ import annotations

import json

from fixtures.model.safetensors_header import read_header
from fixtures.standin.checkpoint import INTERNLM2_5_1_8B, STANDIN, STANDIN_SHAPE


def test_shapes_suit_the_quantization() -> None:
    for shape in (STANDIN_SHAPE, INTERNLM2_5_1_8B):
        assert shape.head_dim == 128
        assert shape.hidden_size % 128 == 0
        assert shape.intermediate_size % 128 == 0
    assert INTERNLM2_5_1_8B.parameters() == 1_889_110_016


def test_stored_tensors_are_those_of_the_shape() -> None:
    tensors = read_header(STANDIN / "model.safetensors")
    assert {name: tensor.shape for name, tensor in tensors.items()} == STANDIN_SHAPE.weights()
    assert {tensor.dtype for tensor in tensors.values()} == {"BF16"}


def test_generation_stops_at_the_turns_end() -> None:
    generation = json.loads((STANDIN / "generation_config.json").read_text(encoding="utf-8"))
    assert generation["eos_token_id"] == [2, 4]
