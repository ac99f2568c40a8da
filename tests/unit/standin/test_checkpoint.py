"""The stand-in's files: names and shapes of tensors."""

from fixtures.model.safetensors_header import read_header
from fixtures.standin.checkpoint import STANDIN, STANDIN_SHAPE


def test_stored_tensors_are_those_of_the_shape() -> None:
    tensors = read_header(STANDIN / "model.safetensors")
    assert {name: tensor.shape for name, tensor in tensors.items()} == STANDIN_SHAPE.weights()
    assert {tensor.dtype for tensor in tensors.values()} == {"BF16"}
