"""Calibration text that this project owns: dialogues of the generator, as a model reads them.

Also right for the real 1.8B: AWQ only looks at the size of activations, and these texts hold Chinese and English prose,
numbers, tool lists and calls in InternLM2.5's own format.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from fixtures.model.calibration import OwnTexts

SEED: Final = 20_261_001
"""Of neither the training nor the accuracy measurement."""

DIALOGUES: Final = 3000
"""About 400 000 tokens of the stand-in's: the homework's 128 samples of 2048 tokens are 262 144."""

SHA256: Final = "1755ad60350c8377f5756b3edaf30943a397c2a9c460405c3dcf1471a4d72245"
"""Of the dialogues. Drawing them takes half a second, which only a quantization has to spend."""


@cache
def calibration_texts() -> tuple[str, ...]:
    """The dialogues, one text each, without the leading `<s>` that the tokenizer adds."""
    # A run whose quantization is cached draws none.
    from tools.standin.dialogues import generate
    from tools.standin.rendering import spans

    return tuple(
        "".join(text for text, _ in spans(dialogue, rendering)).removeprefix("<s>")
        for dialogue, rendering in generate(SEED, DIALOGUES)
    )


OWN_TEXTS: Final = OwnTexts(SHA256, calibration_texts)
"""What calibrates where the hub's data set does not."""
