"""Each protocol as it is documented, and who may ask: run with `-m conformance`."""

from typing import Final

from fixtures.suites import Suite

SUITE: Final = Suite(
    "conformance",
    "conformance: every protocol of the server against its reference and its SDK; off unless -m names it",
    may_lack=True,
    proof="RowTried",
)
