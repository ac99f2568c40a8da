"""What follows from the answers: a pure function of the run's events, for the tests, the report and the record."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Any

from fixtures.evidence.events import Event
from fixtures.judge.paired import Paired, pair
from fixtures.judge.trials import CONFIDENCE, Interval, wilson
from fixtures.server.in_turn import BF16
from tests.acceptance.quality.events import QualityAsked, QualityMeasured
from tests.acceptance.quality.limits import LEAST_KNOWN


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

    @property
    def figures(self) -> list[float]:
        """What a record says of it: the value and its bounds."""
        return [round(figure, 4) for figure in (self.value, self.interval.lower, self.interval.upper)]

    def __str__(self) -> str:
        return "{:.4f} [{:.4f}, {:.4f}]".format(*self.figures)


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


@dataclass(frozen=True)
class Agreement:
    """At `same` of `prompts` prompts the greedy next token is the unquantized one's."""

    same: int
    prompts: int

    @property
    def share(self) -> float:
        """0 to 1."""
        return self.same / self.prompts

    @property
    def interval(self) -> Interval:
        """95 %, Wilson."""
        return wilson(self.same, self.prompts)

    def __str__(self) -> str:
        found = self.interval
        return f"{self.same} / {self.prompts} [{found.lower:.3f}, {found.upper:.3f}]"


@dataclass(frozen=True)
class Quality:
    """The servers of one checkpoint, compared. The first is the unquantized one, asked twice."""

    asked: QualityAsked
    measured: tuple[QualityMeasured, ...]

    @property
    def parts(self) -> tuple[str, ...]:
        """Every part of the text, in order."""
        return tuple(dict.fromkeys(str(part) for part, _ in (*self.asked.passages, *self.asked.prompts)))

    @cached_property
    def known(self) -> tuple[str, ...]:
        """Parts that the unquantized model knows something of; empty for random weights."""
        return tuple(part for part in self.parts if self.knowledge(part) >= LEAST_KNOWN)

    @property
    def judged(self) -> tuple[str, ...]:
        """The known parts; where none is known, all of them: then the figures are of no quality, and judge nothing."""
        return self.known or self.parts

    def knowledge(self, part: str) -> float:
        """Share of the part's prompts at which the unquantized model names the token that follows in the text."""
        named = zip(self.asked.prompts, self.unquantized.next_tokens[0], strict=True)
        right = [token == following for (of, following), token in named if of == part]
        return sum(right) / len(right) if right else 0.0

    @property
    def unquantized(self) -> QualityMeasured:
        """The server that the others are compared with."""
        return self.named(BF16.title)

    def named(self, name: str) -> QualityMeasured:
        """The server of a configuration. Raises KeyError where it was not measured."""
        return {one.name: one for one in self.measured}[name]

    def passages(self, name: str, parts: Sequence[str], asking: int = 0) -> list[Scored]:
        """The passages of some parts as this server scored them."""
        losses = zip(self.asked.passages, self.named(name).losses[asking], strict=True)
        return [Scored(loss, tokens) for (part, tokens), loss in losses if part in parts]

    def perplexity(self, name: str, parts: Sequence[str] = ()) -> float:
        """Of the parts named; else of the judged ones, as with the ratio and the agreement."""
        return perplexity(self.passages(name, parts or self.judged))

    def ratio(self, name: str, parts: Sequence[str] = (), asking: int = 0) -> Ratio:
        """Perplexity as a multiple of the unquantized server's."""
        chosen = parts or self.judged
        return ratio(self.passages(BF16.title, chosen), self.passages(name, chosen, asking))

    def agreement(self, name: str, parts: Sequence[str] = (), asking: int = -1) -> Agreement:
        """Of the last asking with the unquantized server's first: for itself, what of a disagreement is noise."""
        tokens = zip(self.unquantized.next_tokens[0], self.named(name).next_tokens[asking], strict=True)
        pairs, chosen = zip(self.asked.prompts, tokens, strict=True), parts or self.judged
        same = [one == other for (part, _), (one, other) in pairs if part in chosen]
        return Agreement(sum(same), len(same))

    def tasks(self, name: str) -> Paired:
        """The chains, against the unquantized server's."""
        return pair(self.unquantized.right, self.named(name).right)

    def moved(self, one: str, other: str, asking: int = 0) -> float:
        """Mean absolute change of a passage's loss between two servers, nats per token, over the whole text."""
        pairs = zip(self.named(one).losses[0], self.named(other).losses[asking], strict=True)
        return fmean(abs(after - before) for before, after in pairs)

    def row(self, name: str) -> dict[str, Any]:
        """The record's row, without the checkpoint in its name."""
        found = self.named(name)
        return {
            "name": name,
            "perplexity": round(self.perplexity(name), 4),
            "agreement": round(self.agreement(name).share, 4),
            "task_rate": round(sum(found.right) / len(found.right), 4),
            "vram_mib": found.vram_mib,
            "kv_tokens": found.kv_tokens,
        }

    def details(self, name: str) -> dict[str, Any]:
        """What the row leaves out: intervals, and every part for itself; of the first asking."""
        agreed, found = self.agreement(name, asking=0), self.named(name)
        scored = {part for part, _ in self.asked.passages}

        def of_part(part: str) -> dict[str, float]:
            shown = {"agreement": round(self.agreement(name, (part,), 0).share, 4)}
            if part in scored:
                ratio = round(self.ratio(name, (part,)).value, 4)
                shown |= {"perplexity": round(self.perplexity(name, (part,)), 4), "ratio": ratio}
            return shown

        return {
            "argv": found.argv,
            "loss_nats_per_token": round(mean_loss(self.passages(name, self.judged)), 6),
            "perplexity_ratio": self.ratio(name).figures,
            "agreement": [agreed.same, agreed.prompts],
            "task": [sum(found.right), len(found.right)],
            "parts": {part: of_part(part) for part in self.parts},
            "start_seconds": found.start_seconds,
            "seconds": found.seconds,
        }


def of_events(events: Sequence[Event]) -> Quality | None:
    """The comparison in a run's events; None where it was not made, or not even the unquantized server was measured."""
    asked = [event for event in events if isinstance(event, QualityAsked)]
    measured = tuple(event for event in events if isinstance(event, QualityMeasured))
    if not asked or BF16.title not in {one.name for one in measured}:
        return None
    return Quality(asked[-1], measured)
