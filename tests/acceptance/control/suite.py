"""Quantized against unquantized: run with `-m control`."""

from typing import Final

from fixtures.suites import Suite

SUITE: Final = Suite(
    "control",
    "control: the same trials against the unquantized checkpoint; off unless -m names it",
    judged=False,
)
