"""Perplexity, its ratio and agreement, against figures worked out by hand."""

import math

import pytest

from tests.acceptance.quality.formulas import Scored, mean_loss, perplexity, ratio, same


def test_a_uniform_guess_has_the_perplexity_of_the_vocabulary() -> None:
    assert perplexity([Scored(math.log(92544), 100)]) == pytest.approx(92544)


def test_every_token_counts_alike() -> None:
    """One token at 4 nats and three at 0: not the mean of the passages, which would be 2."""
    assert mean_loss([Scored(4.0, 1), Scored(0.0, 3)]) == 1.0
    assert perplexity([Scored(4.0, 1), Scored(0.0, 3)]) == pytest.approx(math.e)


def test_nothing_to_predict_has_no_perplexity() -> None:
    with pytest.raises(ValueError, match="a token to predict"):
        perplexity([])


def test_the_ratio_is_that_of_the_perplexities() -> None:
    before = [Scored(2.0, 100), Scored(3.0, 300)]
    after = [Scored(2.1, 100), Scored(3.02, 300)]
    assert ratio(before, after).value == pytest.approx(perplexity(after) / perplexity(before))


def test_how_hard_a_passage_is_does_not_widen_the_interval() -> None:
    """The same change everywhere: no spread, however different the passages are."""
    before = [Scored(1.0, 100), Scored(9.0, 100), Scored(4.0, 100)]
    found = ratio(before, [Scored(one.loss + 0.05, one.tokens) for one in before])
    assert found.interval.lower == pytest.approx(found.value) == pytest.approx(math.exp(0.05))
    assert found.interval.upper == pytest.approx(found.value)


def test_the_interval_is_students_of_the_changes() -> None:
    """Equal lengths: mean 0.02 and standard error 0.01 / sqrt(4), with t(3) = 3.1824."""
    changes = (0.02 - 0.01 * 1.5**0.5, 0.02 + 0.01 * 1.5**0.5, 0.02, 0.02)
    found = ratio([Scored(1.0, 50)] * 4, [Scored(1.0 + change, 50) for change in changes])
    assert math.log(found.interval.upper) == pytest.approx(0.02 + 3.1824 * 0.01 / 2, rel=1e-3)
    assert math.log(found.interval.lower) == pytest.approx(0.02 - 3.1824 * 0.01 / 2, rel=1e-3)


@pytest.mark.parametrize("other", [[Scored(1.0, 10)], [Scored(1.0, 10), Scored(1.0, 11)]], ids=["fewer", "longer"])
def test_other_passages_are_no_pairs(other: list[Scored]) -> None:
    with pytest.raises(ValueError, match="no pairs"):
        ratio([Scored(1.0, 10), Scored(1.0, 10)], other)


def test_agreement_counts_equal_tokens() -> None:
    assert same([1, 2, 3, 4], [1, 2, 9, 4]) == 3


@pytest.mark.parametrize(("one", "other"), [([1], [1, 2]), ([], [])], ids=["lengths", "nothing"])
def test_agreement_needs_pairs(one: list[int], other: list[int]) -> None:
    with pytest.raises(ValueError, match="no pairs"):
        same(one, other)
