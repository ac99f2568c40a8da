"""Which weights and which KV cache are behind what a server said of its tokens. Pure.

Each hypothesis leaves a residual of every candidate's log-probability, and rounding to the server's dtype, as the
reference tells it, leaves one of its own. Two hypotheses are compared by which leaves the smaller residual, but not at
equality: keys that rounding moves fall into other codes of an int8 or int4 cache, so that a server of such a cache may
be nearer to the exact cache than to the reference's. The boundary lies halfway between what a server of the one and a
server of the other would show with these very tokens. Both are made up from the reference's figures, without a server:
the residual of the one hypothesis is its rounding, of the other its rounding and how far both references are apart.
"""

from collections.abc import Iterator, Mapping, Sequence
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
"""Standard errors by which a rival must be better for a hypothesis to be ruled out: twelve replies leave eleven
degrees of freedom, with which chance goes so far once in 1000 times."""

LARGEST_FIT: Final = 1.5
"""Residuals of the right hypothesis over those of rounding alone. The reference rounds where the kernels do, though not
in the same order: sound servers are near 1 (`sound_fit` in docs/records/fidelity-*.json)."""


@dataclass(frozen=True)
class Hypothesis:
    """How one of CONFIGURATIONS, by its title, explains the tokens. `fit` is the median residual over the median that
    rounding alone leaves; `behind` has for each rival by how many standard errors that one explains them better."""

    name: str
    fit: float
    behind: Mapping[str, float]

    @property
    def worst(self) -> float:
        """Standard errors by which its strongest rival is better; negative where it is the best."""
        return max(self.behind.values())


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


def lead(residuals: tuple[Any, Any], roundings: tuple[Any, Any], owners: Any) -> Any:
    """Return for each reply how much better the first of two hypotheses explains its tokens, from halfway between what
    is expected of a server of either.

    :param owners: the number of each token's reply.
    """
    apart = residuals[1] - residuals[0]
    of_first, of_second = (roundings[0], roundings[0] + apart), (roundings[1] - apart, roundings[1])
    served, first, second = (scores(one) - scores(other) for one, other in (residuals, of_first, of_second))
    return np.array([(served - (first + second) / 2)[owners == one].mean() for one in np.unique(owners)])


def z(values: Any) -> float:
    """Return by how many standard errors the mean of replies is above 0: tokens of one reply share a cache and are not
    independent."""
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return round(float(np.mean(values)) / max(spread / float(np.sqrt(len(values))), 1e-9), 2)


def hypotheses(arrays: Mapping[str, Any], server: int) -> list[Hypothesis]:
    """Compare CONFIGURATIONS by the arrays that `reference` writes."""
    owners = arrays[f"{server}/owners"]
    residual, rounding = (
        {one.title: arrays[f"{server}/{one.weights}/{one.quant_policy}/{what}"].astype(float) for one in CONFIGURATIONS}
        for what in ("residual", "rounding")
    )

    def behind(name: str) -> Iterator[tuple[str, float]]:
        for rival in residual:
            if rival != name:
                pairs = (residual[rival], residual[name]), (rounding[rival], rounding[name])
                yield rival, z(lead(*pairs, owners))

    def fit(name: str) -> float:
        typical = float(np.median(sizes(rounding[name])))
        return round(float(np.median(sizes(residual[name]))) / max(typical, SMALLEST), 4)

    return [Hypothesis(name, fit(name), dict(behind(name))) for name in residual]


def recorded(rows: Sequence[Mapping[str, Any]]) -> list[Hypothesis]:
    """Read the hypotheses back from evidence."""
    return [Hypothesis(row["name"], row["fit"], row["behind"]) for row in rows]


def find(hypotheses: Sequence[Hypothesis]) -> Finding:
    """Find the best hypothesis and its rivals."""
    best = min(hypotheses, key=lambda one: one.worst)
    return Finding(best, tuple(one for one in hypotheses if one is best or one.worst < LEAST_Z))


def fidelity_fault(hypotheses: Sequence[Hypothesis], declared: str) -> Message | None:
    """Find that the tokens are not those of what is declared: those of another hypothesis, or of none."""
    found = find(hypotheses)
    own = next(one for one in hypotheses if one.name == declared)
    if own in found.possible and own.fit <= LARGEST_FIT:
        return None
    fields = {"declared": declared, "fit": own.fit, "most": LARGEST_FIT}
    if own in found.possible or found.best.fit > LARGEST_FIT:
        return message("fault.of_none", **fields)
    return message("fault.of_another", **fields, found=found.best.name, z=round(own.worst, 1))


def prompt_fault(same: Sequence[bool]) -> Message | None:
    """Find that prompts have other numbers of tokens than the checkpoint's own template and tokenizer give them."""
    return None if all(same) else message("fault.other_prompts", other=list(same).count(False), asked=len(same))
