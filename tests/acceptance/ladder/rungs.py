"""The homework's ladder of memory savings, as data, and what was measured on each rung.

Section 3.2 of the homework starts at bf16 with the default share of 0.8, lowers the share to 0.4, quantizes the KV
cache, then the weights. Every rung differs from an earlier one in one thing, so that a difference in memory has one
cause.
"""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from fixtures.errors import ServerError
from fixtures.gpu.kv_capacity import LoggedCache
from fixtures.gpu.memory_model import MemoryExpectation
from fixtures.gpu.sampler import Release, Sample
from fixtures.server.in_turn import BF16, BF16_INT4, BF16_INT8, DEFAULT, HOMEWORK, Configuration

if TYPE_CHECKING:
    from fixtures.ask.load import Filled


@dataclass(frozen=True)
class Rung:
    """A server of the ladder.

    :param killed: it is ended with SIGKILL, to see that memory comes back from that too.
    :param card_gib: size of the card, GiB; another process holds the rest of it. None: the card as it is.
    """

    configuration: Configuration
    killed: bool = False
    card_gib: int | None = None

    @property
    def id(self) -> str:
        """Such as `w4a16-int4-0.4-on-24-gib`; on the whole card that of its configuration."""
        return self.configuration.id + (f"-on-{self.card_gib}-gib" if self.card_gib else "")

    @property
    def fields(self) -> dict[str, Any]:
        """What a row says of it."""
        return {"name": self.id, **asdict(self.configuration), "card_gib": self.card_gib}


RUNGS: Final = (Rung(DEFAULT), Rung(BF16), Rung(BF16_INT8, killed=True), Rung(BF16_INT4), Rung(HOMEWORK))

SMALL_CARDS: Final = tuple(
    Rung(HOMEWORK, card_gib=gib)
    for gib in (40, 24, 8)  # half an A100, 30 % of one, as the homework has it, and a small card of one's own
)
"""The homework's server where less memory is free: thresholds must follow. A card of 80 GB is the ladder's own."""

FAILING: Final = Rung(replace(HOMEWORK, share=0.99), card_gib=4)
"""Cannot start: weights, context and cache fit, and the workspace, which comes last, finds 1 % of 2 GiB left."""


@dataclass(frozen=True)
class Climbed:
    """A rung as measured. `row` is what is recorded of it, memory in use in MiB:

    - loaded: when the weights were there and the KV cache was not; peak: highest from ready to stop
    - settled: after the first requests, when every kernel and buffer has been used once; after_requests: after 200 more
    """

    rung: Rung
    expectation: MemoryExpectation
    release: Release
    cache: LoggedCache
    filled: Filled
    row: dict[str, Any]


@dataclass(frozen=True)
class FailedStart:
    """A start that failed after the weights were loaded. `facts` are what is recorded of it, MiB and seconds.

    :param error: what the suite says of it; None when the server started after all.
    """

    weights_mib: float
    error: ServerError | None
    release: Release
    facts: dict[str, Any]


def before_largest_step(samples: list[Sample]) -> float:
    """Return the memory in use before the KV cache, which comes in one piece, the weights in many: the largest rise.

    55 GiB take the driver about a tenth of a second, so that a sample may fall into the middle. The rise before the
    largest belongs to it where the weights never made one half as large.

    :raises ValueError: with fewer than two samples.
    """
    if len(samples) < 2:
        raise ValueError("a step needs two samples")
    rises = [after.mib - before.mib for before, after in itertools.pairwise(samples)]
    at = rises.index(max(rises))
    if at > 1 and rises[at - 1] > 2 * max(rises[: at - 1]):
        at -= 1
    return samples[at].mib
