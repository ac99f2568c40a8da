"""How fast the deployment answers: run with `-m performance`."""

from typing import Final

from fixtures.suites import Suite

SUITE: Final = Suite(
    "performance",
    "performance: latency and throughput under load, servers in turn; off unless -m names it",
    proof="PerformanceMeasured",
)
