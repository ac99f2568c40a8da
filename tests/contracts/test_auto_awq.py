"""The version's own auto_awq on the CPU: what it wrote is W4A16, and is the model that went in."""

import json

from fixtures.judge.deployment import artefact_fault
from fixtures.lmdeploy.capabilities import Capabilities
from fixtures.model.checkpoint import Checkpoint
from fixtures.model.quantization import QuantizedCheckpoint
from fixtures.run.measurement import Measure, assert_no_fault
from tests.contracts.conftest import contract


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
    """Every weight and whatever else is stored, as a run on a GPU verifies it."""
    from fixtures.model.artefact.verification import verify

    found = verify(standin.folder, quantized.folder)
    measure("findings", len(found.findings), expected=0)
    assert_no_fault(artefact_fault(found.findings))
