"""Which weights and which KV cache are behind what a server said of its tokens. Pure.

Each hypothesis leaves a residual of every candidate's log-probability. Kernels add noise of their own, whose size
nobody knows beforehand, but it adds to the residuals of a wrong hypothesis too: so the right one leaves the smallest.
How small that must be, the reference tells: how far the rounding to the server's dtype alone moves it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from fixtures.server.in_turn import Configuration
from fixtures.texts import Message, message

CACHES: Final = (0, 8, 4)
CONFIGURATIONS: Final = tuple(Configuration(weights, bits) for weights in ("bf16", "w4a16") for bits in CACHES)
"""What a server is told apart into."""

SMALLEST: Final = 1e-3
"""Nats: below it residuals are those of numbers that were rounded on their way."""

LEAST_Z: Final = 4.0
"""Standard errors by which a hypothesis must be worse than the best one to be ruled out: twelve replies leave eleven
degrees of freedom, with which chance goes so far once in 1000 times."""

LARGEST_FIT: Final = 1.5
"""Residuals of the right hypothesis over those of rounding alone. The reference rounds where the kernels do, though not
in the same order: sound servers are expected near 1. No GPU has confirmed that yet (docs/records/fidelity-*.json)."""


@dataclass(frozen=True)
class Hypothesis:
    """How one of CONFIGURATIONS, by its title, explains the tokens. `fit` is the median residual over the median that
    rounding alone leaves; `scores` is for each reply the mean over its tokens of -log residual."""

    name: str
    fit: float
    scores: tuple[float, ...]


@dataclass(frozen=True)
class Finding:
    """The hypothesis that explains the tokens best, and those that are not ruled out, with it."""

    best: Hypothesis
    possible: tuple[Hypothesis, ...]


def sizes(values: Any) -> Any:
    """Return for each token the mean size over its candidates; `values` are (tokens, candidates), NaN for none."""
    return np.nanmean(np.abs(values), axis=1)


def scores(residual: Any) -> Any:
    """Return for each token how well it is explained: -log of its residual, of which doubled noise takes the same from
    all hypotheses."""
    return -np.log(sizes(residual) + SMALLEST)


def hypothesis(name: str, residual: Any, rounding: Any, owners: Any) -> Hypothesis:
    """Sum up a hypothesis.

    :param owners: the number of each token's reply.
    """
    each = scores(residual)
    return Hypothesis(
        name,
        fit=round(float(np.median(sizes(residual)) / max(np.median(sizes(rounding)), SMALLEST)), 4),
        scores=tuple(round(float(each[owners == one].mean()), 4) for one in np.unique(owners)),
    )


def hypotheses(arrays: Mapping[str, Any], server: int) -> list[Hypothesis]:
    """Sum up each of CONFIGURATIONS from the arrays that `reference` writes."""

    def of(weights: str, bits: int, what: str) -> Any:
        return arrays[f"{server}/{weights}/{bits}/{what}"].astype(float)

    return [
        hypothesis(
            one.title,
            of(one.weights, one.quant_policy, "residual"),
            of(one.weights, one.quant_policy, "rounding"),
            arrays[f"{server}/owners"],
        )
        for one in CONFIGURATIONS
    ]


def recorded(rows: Sequence[Mapping[str, Any]]) -> list[Hypothesis]:
    """Read the hypotheses back from evidence."""
    return [Hypothesis(row["name"], row["fit"], tuple(row["scores"])) for row in rows]


def z(one: Sequence[float], other: Sequence[float]) -> float:
    """Return by how many standard errors the first scores are higher, paired by reply: its tokens share a cache
    and are not independent."""
    difference = np.subtract(one, other)
    spread = float(difference.std(ddof=1)) if len(difference) > 1 else 0.0
    return float(difference.mean()) / max(spread / float(np.sqrt(len(difference))), 1e-9)


def find(hypotheses: Sequence[Hypothesis]) -> Finding:
    """Find the best hypothesis and its rivals."""
    best = max(hypotheses, key=lambda one: float(np.mean(one.scores)))
    return Finding(best, tuple(one for one in hypotheses if one is best or z(best.scores, one.scores) < LEAST_Z))


def fidelity_fault(hypotheses: Sequence[Hypothesis], declared: str) -> Message | None:
    """Find that the tokens are not those of what is declared: those of another hypothesis, or of none."""
    found = find(hypotheses)
    own = next(one for one in hypotheses if one.name == declared)
    if own in found.possible and own.fit <= LARGEST_FIT:
        return None
    fields = {"declared": declared, "fit": own.fit, "most": LARGEST_FIT}
    if own in found.possible or found.best.fit > LARGEST_FIT:
        return message("fault.of_none", **fields)
    return message("fault.of_another", **fields, found=found.best.name, z=round(z(found.best.scores, own.scores), 1))


def prompt_fault(same: Sequence[bool]) -> Message | None:
    """Find that prompts have other numbers of tokens than the checkpoint's own template and tokenizer give them."""
    return None if all(same) else message("fault.other_prompts", other=list(same).count(False), asked=len(same))
