"""Which weights and which KV cache the tokens come from: run with `-m "gpu or fidelity"`."""

from typing import Final

from fixtures.suites import Suite

SUITE: Final = Suite(
    "fidelity",
    "fidelity: which weights and which KV cache serve; off unless -m names it or the profile is strict",
    judged=False,
    asked_by=lambda settings: settings.profile == "strict",
)
