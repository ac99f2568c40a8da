"""What quantization costs in points of the Berkeley Function Calling Leaderboard: run with `-m bfcl`."""

from dataclasses import dataclass
from typing import Final

from fixtures.run.options import Unfit, integer, option
from fixtures.suites import Suite

SUITE: Final = Suite(
    "bfcl",
    "bfcl: what bf16, W4A16 and its KV caches score in BFCL's tool calls; off unless -m names it",
    proof="BfclAnswered",
    alone=True,
)

USUAL: Final = ("simple_python", "multiple", "parallel", "parallel_multiple", "irrelevance")
CATEGORIES: Final = (
    *USUAL,
    *(f"live_{name}" for name in ("simple", *USUAL[1:], "relevance")),
)
"""The package's categories of one turn in Python."""


def categories(text: str) -> str:
    """Take names of categories with commas between them; in the order of CATEGORIES, each once."""
    given = {name.strip() for name in text.split(",")}
    if not given.issubset(CATEGORIES):
        raise Unfit("be_some_of", allowed=CATEGORIES)
    return ",".join(name for name in CATEGORIES if name in given)


@dataclass(frozen=True)
class Options:
    """Options of this suite alone."""

    bfcl_categories: str = option(categories, ",".join(USUAL), "NAMES")
    bfcl_sample: int | None = option(integer(1, 2000), None, "QUESTIONS")
    bfcl_concurrency: int = option(integer(1, 1024), 96, "REQUESTS")
