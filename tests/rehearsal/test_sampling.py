"""Sampling parameters, each seen to act alone."""

import math
from types import SimpleNamespace

import pytest
import torch

from fixtures.rehearsal.sampling import Candidates, candidates, draw, penalize_and_ban

LOGITS = torch.tensor([math.log(p) for p in (0.05, 0.5, 0.1, 0.3, 0.05)])
NEUTRAL = {
    "temperature": 1.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0,
    "bad_token_ids": None, "stop_token_ids": None, "min_new_tokens": None,
}  # fmt: skip
"""lmdeploy's GenerationConfig as far as it is read, at values that change nothing."""


def config(**changes):
    return SimpleNamespace(**NEUTRAL | changes)


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({}, [1, 3, 2, 0, 4]),
        ({"top_k": 2}, [1, 3]),
        ({"top_p": 0.79}, [1, 3]),
        ({"top_p": 0.81}, [1, 3, 2]),
        ({"top_p": 0.0}, [1]),
        pytest.param({"min_p": 0.19}, [1, 3, 2], id="min_p-is-relative-to-the-most-probable"),
        ({"min_p": 0.21}, [1, 3]),
    ],
)
def test_limits_keep_the_most_probable(changes, kept):
    options = candidates(LOGITS, config(**changes))
    assert sorted(options.ids.tolist()) == sorted(kept)
    chances = LOGITS.exp()[options.ids]
    assert options.probabilities.tolist() == pytest.approx((chances / chances.sum()).tolist(), rel=1e-4)


def test_temperature_sharpens_and_flattens():
    cold = candidates(LOGITS, config(temperature=0.0))
    assert cold.ids[0] == 1
    assert float(cold.probabilities[0]) == pytest.approx(1.0)
    assert float(candidates(LOGITS, config(temperature=2.0)).probabilities[0]) < 0.5


def test_repetition_penalty_lowers_what_was_seen_whatever_its_sign():
    logits = torch.tensor([2.0, -2.0, 1.0])
    after = penalize_and_ban(logits, [0, 1, 1], 0, config(repetition_penalty=2.0))
    assert after.tolist() == [1.0, -4.0, 1.0]
    assert logits.tolist() == [2.0, -2.0, 1.0]


def test_banned_tokens_cannot_come():
    after = penalize_and_ban(LOGITS, [], 0, config(bad_token_ids=[1, 3]))
    assert candidates(after, config(top_k=1)).ids.tolist() == [2]
    waiting = config(stop_token_ids=[1], min_new_tokens=3)
    assert penalize_and_ban(LOGITS, [], 2, waiting)[1] == -math.inf
    assert penalize_and_ban(LOGITS, [], 3, waiting)[1] == LOGITS[1]


def test_draws_follow_the_seed_and_the_probabilities():
    options = candidates(LOGITS, config())

    def draws(seed, count):
        random = torch.Generator().manual_seed(seed)
        return [draw(options, random) for _ in range(count)]

    assert draws(7, 50) == draws(7, 50)
    assert draws(7, 50) != draws(8, 50)
    # Five standard deviations of a binomial share at p = 0.5.
    assert draws(0, 4000).count(1) / 4000 == pytest.approx(0.5, abs=5 * math.sqrt(0.25 / 4000))


def test_cumulative_sum_below_one_cannot_lead_past_the_end():
    short = Candidates(ids=torch.tensor([4, 2]), probabilities=torch.tensor([0.0, 0.0]))
    assert draw(short, torch.Generator().manual_seed(0)) == 2


def test_logprobs_are_of_what_is_kept():
    top = candidates(LOGITS, config(top_k=2)).top(5)
    assert top == {1: pytest.approx(math.log(0.625), rel=1e-4), 3: pytest.approx(math.log(0.375), rel=1e-4)}
