"""A challenge, given by whoever will verify the run: run with `--challenge TEXT`, beside the homework."""

from typing import Final

from fixtures.suites import Suite

SUITE: Final = Suite(
    "challenge",
    "challenge: questions drawn from the text of whoever will verify the run; off unless --challenge",
    judged=False,
    shared=True,
    asked_by=lambda settings: settings.challenge is not None,
)
