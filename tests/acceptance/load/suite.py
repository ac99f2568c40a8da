"""The same answers under load: run with `-m load`."""

from dataclasses import dataclass
from typing import Final

from fixtures.run.options import integer, option
from fixtures.suites import Suite

SUITE: Final = Suite(
    "load",
    "load: the same answers alone and among many neighbours; off unless -m names it",
    proof="LoadCompared",
    alone=True,
)


@dataclass(frozen=True)
class Options:
    """Options of this suite."""

    load_requests: int | None = option(integer(20, 1_000_000), None, "REQUESTS")
