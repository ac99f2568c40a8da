"""The homework's ladder of memory savings, as data, and what was measured on each rung.

Section 3.2 of the homework starts at bf16 with the default share of 0.8, lowers the share to 0.4, quantizes the KV
cache, then the weights. Every rung differs from an earlier one in one knob, so that a difference in memory has one
cause.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from fixtures.gpu.kv_capacity import LoggedCache
from fixtures.gpu.memory_model import Knobs, MemoryExpectation
from fixtures.gpu.sampler import Release, Sample

if TYPE_CHECKING:
    from fixtures.ask.load import Filled

KV_RATIO_INT4: Final = 3.5
"""int4 KV over 16-bit KV at equal share and head_dim 128: 256 bytes against 68 per head and token are 3.76 times the
tokens; whole blocks and the packing of blocks into slabs may cost a few per cent."""
KV_RATIO_INT8: Final = 1.8
"""int8 KV over 16-bit KV: 256 bytes against 132 are 1.94 times."""


@dataclass(frozen=True)
class Rung:
    """A server of the ladder.

    :param killed: it is ended with SIGKILL, to see that memory comes back from that too.
    :param card_gib: size of the card, GiB; another process holds the rest of it. None: the card as it is.
    """

    id: str
    weights: str
    """`bf16` or `w4a16`."""
    share: float
    quant_policy: int
    killed: bool = False
    card_gib: int | None = None

    @property
    def knobs(self) -> Knobs:
        """What the memory model needs."""
        return Knobs(self.share, self.quant_policy)

    @property
    def model_format(self) -> str:
        """Value of `--model-format`."""
        return "awq" if self.weights == "w4a16" else "hf"


DEFAULT: Final = Rung("bf16-0.8", "bf16", 0.8, 0)
HALF_SHARE: Final = Rung("bf16-0.4", "bf16", 0.4, 0)
INT8_KV: Final = Rung("bf16-int8-0.4", "bf16", 0.4, 8, killed=True)
INT4_KV: Final = Rung("bf16-int4-0.4", "bf16", 0.4, 4)
HOMEWORK: Final = Rung("w4a16-int4-0.4", "w4a16", 0.4, 4)

RUNGS: Final = (DEFAULT, HALF_SHARE, INT8_KV, INT4_KV, HOMEWORK)

SMALL_CARDS: Final = tuple(
    replace(HOMEWORK, id=f"{HOMEWORK.id}-on-{gib}-gib", card_gib=gib)
    for gib in (40, 24, 8)  # half an A100, 30 % of one, as the homework has it, and a small card of one's own
)
"""The homework's server where less memory is free: thresholds must follow. A card of 80 GB is the ladder's own."""

FAILING: Final = replace(HOMEWORK, id="w4a16-int4-0.99-on-4-gib", share=0.99, card_gib=4)
"""Cannot start: weights, context and cache fit, and the workspace, which comes last, finds 1 % of 2 GiB left."""


@dataclass(frozen=True)
class Climbed:
    """A rung as measured, MiB of device memory in use unless said otherwise.

    :param loaded_mib: when the weights were there and the KV cache was not.
    :param peak_mib: highest from ready to stop.
    :param settled_mib: after the first requests, when every kernel and buffer has been used once.
    :param after_requests_mib: after 200 more.
    :param crowded_mib: with another process on the GPU; None where that was not tried.
    """

    rung: Rung
    expectation: MemoryExpectation
    idle_mib: float
    loaded_mib: float
    ready_mib: float
    peak_mib: float
    settled_mib: float
    after_requests_mib: float
    crowded_mib: float | None
    release: Release
    cache: LoggedCache
    filled: Filled
    start_seconds: float
    samples: list[Sample]

    def row(self) -> dict[str, Any]:
        """The rung as a row of the record."""
        return {
            "name": self.rung.id,
            "weights": self.rung.weights,
            "share": self.rung.share,
            "quant_policy": self.rung.quant_policy,
            "card_gib": self.rung.card_gib,
            "idle_mib": round(self.idle_mib),
            "loaded_mib": round(self.loaded_mib),
            "ready_mib": round(self.ready_mib),
            "peak_mib": round(self.peak_mib),
            "released_mib": round(self.release.used_mib),
            "released_seconds": self.release.seconds,
            "model_mib": round(self.expectation.ready_mib),
            "model_parts_mib": {part: round(mib) for part, mib in self.expectation.parts.items()},
            "kv_mib": round(self.cache.mib) if self.cache.mib is not None else None,
            "kv_tokens": self.cache.tokens,
            "kv_tokens_model": self.expectation.kv_tokens,
            "kv_tokens_held": self.filled.tokens,
            "kv_usage_when_held": self.filled.usage,
            "kv_tokens_by_usage": self.filled.capacity,
            "start_seconds": self.start_seconds,
        }


@dataclass(frozen=True)
class FailedStart:
    """A start that failed after the weights were loaded, MiB of device memory in use.

    :param peak_mib: highest during the start; near the idle figure, the start failed before it touched the GPU.
    :param seconds: from the launch to the error.
    :param error: what the suite says of it; empty when the server started after all.
    """

    rung: Rung
    weights_mib: float
    idle_mib: float
    peak_mib: float
    seconds: float
    error: str
    release: Release

    def facts(self) -> dict[str, Any]:
        """As they stand in the record."""
        return {
            "name": self.rung.id,
            "share": self.rung.share,
            "card_gib": self.rung.card_gib,
            "idle_mib": round(self.idle_mib),
            "peak_mib": round(self.peak_mib),
            "released_mib": round(self.release.used_mib),
            "released_seconds": self.release.seconds,
            "seconds": self.seconds,
            "error": self.error,
        }


def before_largest_step(samples: list[Sample]) -> float:
    """Memory in use before the KV cache, which comes in one piece, the weights in many: the largest rise.

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
