"""第 3.2.3 节 / Section 3.2.3: `lmdeploy lite auto_awq` made a W4A16 checkpoint."""

import pytest

from fixtures.judge.deployment import QUANTIZED_AS, artefact_fault, quantization_fault, size_fault
from fixtures.model.artefact.findings import ERROR_LIMIT, Verification
from fixtures.model.checkpoint import Checkpoint
from fixtures.model.quantization import QuantizedCheckpoint
from fixtures.run.claims import claim
from fixtures.run.measurement import Measure, assert_no_fault

pytestmark = pytest.mark.gpu

MIB = 2**20


@claim(
    "quantization.smaller",
    part="deployment",
    zh="量化后的模型比原模型小",
    en="The quantized model is smaller than the original",
)
def test_the_quantized_checkpoint_is_smaller(
    checkpoint: Checkpoint, quantized: QuantizedCheckpoint, measure: Measure
) -> None:
    """The homework's `du -sh`: the weights take less room than before."""
    measure("size", round(quantized.bytes / MIB, 1), "MiB", below=round(checkpoint.bytes / MIB, 1))
    assert_no_fault(size_fault(checkpoint.bytes, quantized.bytes))


@claim(
    "quantization.config",
    part="deployment",
    zh="权重为 4 bit AWQ，分组 128（W4A16）",
    en="The weights are 4-bit AWQ in groups of 128",
)
def test_the_weights_have_4_bits_in_groups_of_128(quantized: QuantizedCheckpoint, measure: Measure) -> None:
    """W4: `--w-bits 4 --w-group-size 128`, as the checkpoint itself says."""
    for name, due in QUANTIZED_AS.items():
        measure(name, quantized.made.quantization_config.get(name, []), expected=due)
    assert_no_fault(quantization_fault(quantized.made.quantization_config))


@claim(
    "quantization.artefact",
    part="deployment",
    zh="量化后的每个权重都是原权重的 4 bit 舍入",
    en="Every quantized weight is the source's, rounded to 4 bits",
    beyond=True,
)
def test_every_weight_is_the_sources_rounded_to_4_bits(verification: Verification, measure: Measure) -> None:
    """The quantized model is still the model: compared with its source, weight by weight."""
    measure("findings", len(verification.findings), expected=0)
    if verification.worst:
        measure("largest_layer_error", round(verification.worst.error, 4), at_most=ERROR_LIMIT)
        measure("predicted_size", round(verification.predicted_bytes / MIB, 1), "MiB")
    assert_no_fault(artefact_fault(verification.findings))
