"""What quantization left of the model: run with `-m quality`."""

from typing import Final

from fixtures.suites import Suite

SUITE: Final = Suite(
    "quality",
    "quality: what bf16, W4A16 and its KV caches make of the same text; off unless -m names it",
    proof="QualityMeasured",
    alone=True,
)
