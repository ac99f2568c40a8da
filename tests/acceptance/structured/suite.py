"""Replies under a schema: run with `-m structured`."""

from typing import Final

from fixtures.suites import Suite

SUITE: Final = Suite(
    "structured",
    "structured: replies that must satisfy a JSON schema; off unless -m names it",
    may_lack=True,
    proof="SchemaTried",
)
