"""Perplexity, and its ratio with an interval: pure functions of what the servers answered."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from fixtures.judge.trials import CONFIDENCE, Interval


@dataclass(frozen=True)
class Scored:
    """A passage's mean loss, nats per token, over its `tokens` predicted tokens: all but the first."""

    loss: float
    tokens: int


def mean_loss(passages: Sequence[Scored]) -> float:
    """Return the nats per token, each token counting alike. Raises ValueError where there is none."""
    tokens = sum(passage.tokens for passage in passages)
    if tokens < 1:
        raise ValueError("a perplexity needs a token to predict")
    return sum(passage.loss * passage.tokens for passage in passages) / tokens


def perplexity(passages: Sequence[Scored]) -> float:
    """Return exp of the mean loss. Depends on the tokenizer: compare it within a checkpoint only."""
    return math.exp(mean_loss(passages))


@dataclass(frozen=True)
class Ratio:
    """Perplexity as a multiple of the unquantized one's, with its 95 % interval."""

    value: float
    interval: Interval

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.interval.lower:.4f}, {self.interval.upper:.4f}]"


def ratio(unquantized: Sequence[Scored], quantized: Sequence[Scored]) -> Ratio:
    """Return the ratio of two perplexities of the same passages.

    The interval is of the paired differences of the passages, weighted by their tokens, with Student's t: how hard a
    passage is cancels out.

    :raises ValueError: not the same passages, or fewer than two.
    """
    if [one.tokens for one in unquantized] != [other.tokens for other in quantized] or len(unquantized) < 2:
        raise ValueError(f"{len(unquantized)} and {len(quantized)} passages are no pairs, or too few")
    total = sum(passage.tokens for passage in unquantized)
    weights = [passage.tokens / total for passage in unquantized]
    changes = [other.loss - one.loss for one, other in zip(unquantized, quantized, strict=True)]
    mean = sum(weight * change for weight, change in zip(weights, changes, strict=True))
    count = len(changes)
    squares = sum((weight * (change - mean)) ** 2 for weight, change in zip(weights, changes, strict=True))
    from scipy.stats import t as student  # a second to import: too long for a run that only collects

    spread = math.sqrt(squares * count / (count - 1)) * float(student.ppf((1 + CONFIDENCE) / 2, count - 1))
    return Ratio(math.exp(mean), Interval(math.exp(mean - spread), math.exp(mean + spread)))
