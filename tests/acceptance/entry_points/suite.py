"""The homework's other ways to the model: run with `-m entry_points`."""

from typing import Final

from fixtures.suites import Suite

SUITE: Final = Suite(
    "entry_points",
    "entry_points: terminal chat, web page, client script, tunnel; off unless -m names it",
    may_lack=True,
    proof="EntryPointTried",
)
