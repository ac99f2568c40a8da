"""The version's own auto_awq on the CPU: what it wrote is W4A16, and is the model that went in."""

import json

from fixtures.lmdeploy.capabilities import Capabilities
from fixtures.model.checkpoint import Checkpoint
from fixtures.model.quantization import QuantizedCheckpoint
from fixtures.run.measurement import Measure
from tests.contracts.conftest import contract

UNSMOOTHED = "attention.wo"
"""AWQ scales the inputs of the other layers before it rounds them; of this one only the rounding shows."""

LARGEST_ERROR = 1.0
"""Steps. Rounding costs half a step; the zero point is rounded as well, which can clip a group's extremes by as much.
A wrong order of the codes, or another group size, is off by many."""


@contract("awq.made", zh="auto_awq 完成量化", en="auto_awq quantizes")
def test_auto_awq_quantizes(quantized: QuantizedCheckpoint, standin: Checkpoint, measure: Measure) -> None:
    """By the suite's command line, to a folder that the suite verifies; the weights take less room than before."""
    measure("size", quantized.bytes, "bytes", below=standin.bytes)
    assert quantized.bytes < standin.bytes


@contract("awq.format", zh="权重文件格式", en="format of the weights")
def test_the_weights_are_in_the_promised_format(
    quantized: QuantizedCheckpoint, capabilities: Capabilities, measure: Measure
) -> None:
    """`pytorch_model.bin` or `model.safetensors`."""
    found = {file.suffix.lstrip(".") for file in quantized.folder.iterdir()} & {"bin", "safetensors"}
    measure("format", ", ".join(sorted(found)), expected=capabilities.weights_format)
    assert found == {capabilities.weights_format}


@contract("awq.dtype", zh="权重的 dtype", en="dtype of the weights")
def test_the_weights_have_the_promised_dtype(
    quantized: QuantizedCheckpoint, capabilities: Capabilities, measure: Measure
) -> None:
    """Made by `--dtype auto` of a bfloat16 checkpoint."""
    from fixtures.model.artefact.tensors import TensorFiles  # numpy: these claims are listed where there is none too

    config = json.loads((quantized.folder / "config.json").read_text(encoding="utf-8"))
    declared = config.get("torch_dtype") or config.get("dtype")
    dtype = TensorFiles(quantized.folder).dtype("model.norm.weight")
    norm = {"BF16": "bfloat16", "F16": "float16"}.get(dtype, dtype)
    measure("dtype", norm, expected=declared)
    wanted = "bfloat16" if capabilities.keeps_bfloat16 else "float16"
    assert (norm, declared) == (wanted, wanted)


@contract(
    "awq.reads_back", zh="读回的权重是原权重的 4 bit 舍入", en="read back, the weights are the originals in 4 bits"
)
def test_the_weights_are_the_originals_rounded_to_four_bits(
    quantized: QuantizedCheckpoint, standin: Checkpoint, measure: Measure
) -> None:
    """Every code read back differs from its weight by a step at most, in groups of 128."""
    import numpy as np

    from fixtures.model.artefact.decoders import stored_layer
    from fixtures.model.artefact.rounding import dequantized
    from fixtures.model.artefact.tensors import TensorFiles

    written, original = TensorFiles(quantized.folder), TensorFiles(standin.folder)
    layers = [name.removesuffix(".qweight") for name in written.places if name.endswith(f"{UNSMOOTHED}.qweight")]
    worst = 0.0
    for layer in layers:
        stored = stored_layer(written, layer)
        steps = stored.scales.T.repeat(128, axis=1)
        error = np.abs(dequantized(stored, 128) - original.floats(f"{layer}.weight")) / steps
        worst = max(worst, float(error.max()))
    measure("largest_error", round(worst, 3), "steps", at_most=LARGEST_ERROR)
    assert layers, f"no {UNSMOOTHED} is quantized"
    assert worst <= LARGEST_ERROR
