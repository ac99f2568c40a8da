"""What broke it: run with `--explain`, beside the homework."""

from typing import Final

from fixtures.suites import Suite

SUITE: Final = Suite(
    "explain",
    "explain: the ingredient of the deployment that a failed claim about content is due to; off unless --explain",
    judged=False,
    alone=True,
    asked_by=lambda settings: settings.explain,
)
