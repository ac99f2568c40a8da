"""第 3.2.3 节 / Section 3.2.3: `lmdeploy lite auto_awq` made a W4A16 checkpoint."""

import pytest

from fixtures.homework import AWQ
from fixtures.model.artefact.findings import ERROR_LIMIT, Verification
from fixtures.model.checkpoint import Checkpoint
from fixtures.model.quantization import QuantizedCheckpoint
from fixtures.run.claims import claim
from fixtures.run.measurement import Measure

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
    measure("size", round(quantized.bytes / MIB, 1), "MiB", f"< {checkpoint.bytes / MIB:.1f} MiB")
    assert quantized.bytes < checkpoint.bytes, (
        f"the weights have {quantized.bytes} bytes after the quantization and had {checkpoint.bytes} before: "
        "nothing was quantized"
    )


@claim(
    "quantization.config",
    part="deployment",
    zh="权重为 4 bit AWQ，分组 128（W4A16）",
    en="The weights are 4-bit AWQ in groups of 128",
)
def test_the_weights_have_4_bits_in_groups_of_128(quantized: QuantizedCheckpoint, measure: Measure) -> None:
    """W4: `--w-bits 4 --w-group-size 128`, as the checkpoint itself says."""
    config = quantized.made.quantization_config
    found = (config.get("quant_method"), config.get("bits"), config.get("group_size"))
    measure("quantization_config", f"{found[0]}, {found[1]} bits, groups of {found[2]}")
    assert found == ("awq", AWQ.w_bits, AWQ.w_group_size)


@claim(
    "quantization.artefact",
    part="deployment",
    zh="量化后的每个权重都是原权重的 4 bit 舍入",
    en="Every quantized weight is the source's, rounded to 4 bits",
    beyond=True,
)
def test_every_weight_is_the_sources_rounded_to_4_bits(verification: Verification, measure: Measure) -> None:
    """The quantized model is still the model: compared with its source, weight by weight."""
    measure("findings", len(verification.findings), limit="0")
    if verification.worst:
        measure("largest_layer_error", round(verification.worst.error, 4), limit=f"<= {ERROR_LIMIT:g}")
        measure("predicted_size", round(verification.predicted_bytes / MIB, 1), "MiB")
    assert not verification.findings, "\n".join(str(finding) for finding in verification.findings)
