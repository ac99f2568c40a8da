"""Faults done to a real run on a GPU: run with `-m gpu_faults`."""

from typing import Final

from fixtures.suites import Suite

SUITE: Final = Suite(
    "gpu_faults",
    "gpu_faults: servers and runs killed in the middle, on a GPU; off unless -m names it",
    proof="FaultSuffered",
)
