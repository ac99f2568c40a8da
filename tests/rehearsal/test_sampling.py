"""Sampling parameters, each seen to act alone."""

import math
from types import SimpleNamespace

import pytest
import torch

from fixtures.rehearsal.sampling import Candidates, candidates, draw, penalize_and_ban

PROBABILITIES = [0.05, 0.5, 0.1, 0.3, 0.05]
LOGITS = torch.tensor([math.log(p) for p in PROBABILITIES])


def config(**changes):
    """lmdeploy's GenerationConfig as far as it is read, at values that change nothing."""
    neutral = {
        "temperature": 1.0,
        "top_p": 1.0,
        "top_k": 0,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "bad_token_ids": None,
        "stop_token_ids": None,
        "min_new_tokens": None,
    }
    return SimpleNamespace(**neutral | changes)


def kept(**changes):
    return candidates(LOGITS, config(**changes)).ids.tolist()


def test_neutral_settings_keep_the_distribution():
    options = candidates(LOGITS, config())
    assert sorted(options.ids.tolist()) == [0, 1, 2, 3, 4]
    assert options.probabilities.tolist() == pytest.approx([0.5, 0.3, 0.1, 0.05, 0.05], rel=1e-4)


def test_top_k_keeps_the_k_most_probable():
    assert kept(top_k=2) == [1, 3]
    assert kept(top_k=1) == [1]


def test_top_p_keeps_the_fewest_that_reach_p():
    assert kept(top_p=0.79) == [1, 3]
    assert kept(top_p=0.81) == [1, 3, 2]
    assert kept(top_p=0.0) == [1]


def test_min_p_is_relative_to_the_most_probable():
    assert kept(min_p=0.19) == [1, 3, 2]
    assert kept(min_p=0.21) == [1, 3]


def test_what_is_kept_sums_to_one():
    assert float(candidates(LOGITS, config(top_k=2)).probabilities.sum()) == pytest.approx(1.0)


def test_temperature_zero_is_greedy_in_effect():
    options = candidates(LOGITS, config(temperature=0.0))
    assert options.ids[0] == 1
    assert float(options.probabilities[0]) == pytest.approx(1.0)


def test_temperature_flattens():
    hot = candidates(LOGITS, config(temperature=2.0)).probabilities
    assert float(hot[0]) < 0.5


def test_repetition_penalty_lowers_what_was_seen_whatever_its_sign():
    logits = torch.tensor([2.0, -2.0, 1.0])
    after = penalize_and_ban(logits, [0, 1, 1], 0, config(repetition_penalty=2.0))
    assert after.tolist() == [1.0, -4.0, 1.0]
    assert logits.tolist() == [2.0, -2.0, 1.0]


def test_bad_tokens_cannot_come():
    after = penalize_and_ban(LOGITS, [], 0, config(bad_token_ids=[1, 3]))
    assert candidates(after, config(top_k=1)).ids.tolist() == [2]


def test_stop_tokens_are_banned_until_min_new_tokens():
    waiting = config(stop_token_ids=[1], min_new_tokens=3)
    assert penalize_and_ban(LOGITS, [], 2, waiting)[1] == -math.inf
    assert penalize_and_ban(LOGITS, [], 3, waiting)[1] == LOGITS[1]


def test_a_seed_fixes_the_draws():
    def draws(seed):
        random = torch.Generator().manual_seed(seed)
        return [draw(candidates(LOGITS, config()), random) for _ in range(50)]

    assert draws(7) == draws(7)
    assert draws(7) != draws(8)


def test_draws_follow_the_probabilities():
    random = torch.Generator().manual_seed(0)
    options = candidates(LOGITS, config())
    share = sum(draw(options, random) == 1 for _ in range(4000)) / 4000
    # Five standard deviations of a binomial share at p = 0.5.
    assert share == pytest.approx(0.5, abs=5 * math.sqrt(0.25 / 4000))


def test_a_cumulative_sum_below_one_cannot_lead_past_the_end():
    short = Candidates(ids=torch.tensor([4, 2]), probabilities=torch.tensor([0.0, 0.0]))
    assert draw(short, torch.Generator().manual_seed(0)) == 2


def test_logprobs_are_of_what_is_kept():
    top = candidates(LOGITS, config(top_k=2)).top(5)
    assert top == {1: pytest.approx(math.log(0.625), rel=1e-4), 3: pytest.approx(math.log(0.375), rel=1e-4)}
