"""Which weights and which KV cache the tokens come from: run with `-m "gpu or fidelity"`.

Not part of the strict profile: the reference takes the source's weights in float32, 8 GB for a 1.8B, and a minute.
"""

from typing import Final

from fixtures.suites import Suite

SUITE: Final = Suite(
    "fidelity",
    "fidelity: which weights and which KV cache the served tokens come from; off unless -m names it",
    judged=False,
)
