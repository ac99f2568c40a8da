"""The generator beside lmdeploy's own protocol on one server, in turn, and how far their figures are apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from fixtures.ask.load import Endpoint, Prompts
from tests.acceptance.performance.formulas import Figures, apart, figures
from tests.acceptance.performance.generator import send
from tests.acceptance.performance.reference import Profile, profile
from tests.acceptance.performance.workloads import Load


@dataclass(frozen=True)
class Agreement:
    """What both said in each round, the generator in lmdeploy's terms."""

    ours: tuple[Profile, ...]
    theirs: tuple[Profile, ...]

    @property
    def ttft_ms(self) -> tuple[float, float]:
        """Mean time to the first token: the medians of the rounds."""
        return self._medians(lambda said: round(1000 * said.first_token_latency, 3))

    @property
    def tokens_per_s(self) -> tuple[float, float]:
        """As `ttft_ms`."""
        return self._medians(lambda said: round(said.token_throughput, 2))

    @property
    def requests_per_s(self) -> tuple[float, float]:
        """As `ttft_ms`."""
        return self._medians(lambda said: round(said.rps, 3))

    @property
    def apart(self) -> float:
        """How far they are from each other, as a share of the larger; of the three the farthest."""
        return max(apart(*self.ttft_ms), apart(*self.tokens_per_s), apart(*self.requests_per_s))

    def row(self) -> dict[str, Any]:
        """As JSON values: the generator's first, lmdeploy's second; every round in seconds and per second."""
        return {
            "ttft_mean_ms": list(self.ttft_ms),
            "tokens_per_s": list(self.tokens_per_s),
            "requests_per_s": list(self.requests_per_s),
            "apart": round(self.apart, 4),
            "rounds": [[asdict(one), asdict(other)] for one, other in zip(self.ours, self.theirs, strict=True)],
        }

    def _medians(self, figure: Callable[[Profile], float]) -> tuple[float, float]:
        return median(map(figure, self.ours)), median(map(figure, self.theirs))


def compare(
    endpoint: Endpoint, load: Load, rounds: int, prompts: Prompts, answer_tokens: int, timeout_s: float, first: int
) -> Agreement:
    """Put the server under the load by turns.

    :param load: users who ask again as soon as they are answered: the one kind that lmdeploy's protocol knows.
    :param timeout_s: for one answer of the generator's.
    :param first: number of the first prompt; every round has its own.
    :raises RequestError: lmdeploy's protocol met a request that failed.
    :raises ValueError: none of the generator's requests was answered whole.
    """
    users, ours, theirs = load.concurrency or 1, [], []
    for number in range(rounds):
        own, other = (first + (2 * number + turn) * load.requests for turn in (0, 1))
        ours.append(in_their_terms(figures(send(endpoint, load, prompts, answer_tokens, timeout_s, own).timings)))
        theirs.append(profile(endpoint, prompts, load.requests, users, answer_tokens, other))
    return Agreement(tuple(ours), tuple(theirs))


def in_their_terms(found: Figures) -> Profile:
    """The generator's figures as lmdeploy's protocol names them."""
    return Profile(found.ttft_ms.mean / 1000, found.tokens_per_s, found.requests_per_s)
