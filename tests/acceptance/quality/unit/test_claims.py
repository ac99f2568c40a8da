"""The acceptance tests of quality, each seen holding and seen failing for its own reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.acceptance.quality import test_quality as claims
from tests.acceptance.quality.configurations import HOMEWORK, W4A16
from tests.acceptance.quality.result import Quality
from tests.acceptance.quality.unit.answers import TRIALS, quality, with_memory

Check = Callable[[Quality], None]


def measured(*_: Any, **__: Any) -> None:
    """Where a claim's figures go."""


def of(test: Callable[..., None], *configuration: Any) -> Check:
    """An acceptance test as a function of the comparison alone."""
    return lambda found: test(*configuration, found, measured)


REPEATS = of(claims.test_a_second_asking_answers_the_same)
SEES_THE_CACHE = of(claims.test_int4_keys_and_values_show_in_the_perplexity)
PERPLEXITY = of(claims.test_perplexity_stays, W4A16)
PERPLEXITY_INT4 = of(claims.test_perplexity_stays, HOMEWORK)
AGREEMENT = of(claims.test_the_next_token_stays, HOMEWORK)
CHAINS = of(claims.test_two_step_chains_stay_right, HOMEWORK)
MEMORY = of(claims.test_int4_keys_and_values_buy_tokens)

GOOD = with_memory(quality(), (36000, 320_000), (34700, 330_000), (34735, 1_250_000))


@pytest.mark.parametrize("check", [REPEATS, SEES_THE_CACHE, PERPLEXITY, PERPLEXITY_INT4, AGREEMENT, CHAINS, MEMORY])
def test_an_honest_quantization_is_accepted(check: Check) -> None:
    check(GOOD)


@pytest.mark.parametrize(
    ("check", "found"),
    [
        pytest.param(REPEATS, quality(again=0.52), id="another perplexity when asked again"),
        pytest.param(REPEATS, quality(changed_again=2), id="other tokens when asked again"),
        pytest.param(SEES_THE_CACHE, quality(int4=0.52), id="int4 changes nothing"),
        pytest.param(SEES_THE_CACHE, quality(int4=0.5201, again=0.5002), id="int4 changes no more than noise does"),
        pytest.param(PERPLEXITY, quality(w4a16=0.62), id="W4A16 costs perplexity"),
        pytest.param(PERPLEXITY_INT4, quality(int4=0.62), id="int4 costs perplexity"),
        pytest.param(AGREEMENT, quality(changed=9), id="other tokens"),
        pytest.param(CHAINS, quality(right=TRIALS // 2), id="wrong chains"),
        pytest.param(MEMORY, with_memory(GOOD, (1, 1), (34700, 330_000), (30000, 1_250_000)), id="another share"),
        pytest.param(MEMORY, with_memory(GOOD, (1, 1), (34700, 330_000), (34700, 330_000)), id="a 16-bit cache"),
    ],
)
def test_damage_is_noticed(check: Check, found: Quality) -> None:
    with pytest.raises(AssertionError):
        check(found)


@pytest.mark.parametrize("check", [PERPLEXITY, PERPLEXITY_INT4, AGREEMENT])
def test_random_weights_are_not_judged(check: Check) -> None:
    with pytest.raises(pytest.skip.Exception, match="no quality to lose"):
        check(quality(known=False))


def test_a_model_that_knows_the_text_and_no_chains_is_not_skipped() -> None:
    unable = quality(right=0)
    plain = unable.measured[0]
    none = Quality(unable.asked, (type(plain)(**{**vars(plain), "right": [False] * TRIALS}), *unable.measured[1:]))
    with pytest.raises(AssertionError, match="nothing to compare with"):
        CHAINS(none)


def test_memory_without_a_gpu_is_skipped() -> None:
    with pytest.raises(pytest.skip.Exception, match="no GPU"):
        MEMORY(quality())


def test_damage_that_makes_strange_text_look_better_does_not_count() -> None:
    """The prose is unknown: its perplexity, lower or higher, is in no figure that is judged."""
    found = quality()
    assert found.known == ("stories", "dialogues")
    assert found.judged_texts == ("stories",)
    assert found.perplexity("bf16") == pytest.approx(2.718281828**0.535, rel=1e-3)
