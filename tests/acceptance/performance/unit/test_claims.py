"""The acceptance tests of performance, each seen holding and seen failing for its own reason."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest

from tests.acceptance.ladder.rungs import HALF_SHARE, HOMEWORK, INT4_KV, Rung
from tests.acceptance.performance import test_performance as claims
from tests.acceptance.performance.agreement import Agreement
from tests.acceptance.performance.formulas import Timing
from tests.acceptance.performance.plugin import Held, held
from tests.acceptance.performance.reference import Profile
from tests.acceptance.performance.unit.answers import measured, servers

GPU: Any = object()


def keep(*_: Any, **__: Any) -> None:
    """Where a claim's figures go."""


def test_honest_servers_hold_every_claim() -> None:
    claims.test_every_request_is_answered_whole(measured(), keep)
    claims.test_the_generator_is_not_the_bottleneck(measured(), keep)
    claims.test_many_users_share_the_gpu(measured(), GPU, keep)
    claims.test_lmdeploys_own_protocol_says_the_same(servers(), keep)
    claims.test_int4_keys_and_values_answer_more_users_at_once(servers(), keep)


def test_a_failed_request_is_named() -> None:
    with pytest.raises(AssertionError, match=r"w4a16-int4-0\.4: HTTP 503"):
        claims.test_every_request_is_answered_whole(measured(error="HTTP 503"), keep)


def test_a_short_answer_is_noticed() -> None:
    with pytest.raises(AssertionError, match="1 at a time"):
        claims.test_every_request_is_answered_whole(measured(tokens=3), keep)


def test_a_busy_generator_is_noticed() -> None:
    with pytest.raises(AssertionError):
        claims.test_the_generator_is_not_the_bottleneck(measured(cpu=0.51), keep)


def test_an_engine_that_answers_one_after_the_other_is_noticed() -> None:
    one, many, rate = measured().answered
    slow = replace(many, figures=replace(many.figures, tokens_per_s=one.figures.tokens_per_s))
    with pytest.raises(AssertionError):
        claims.test_many_users_share_the_gpu(replace(measured(), answered=(one, slow, rate)), GPU, keep)
    with pytest.raises(pytest.skip.Exception, match="no GPU"):
        claims.test_many_users_share_the_gpu(measured(), None, keep)


@pytest.mark.parametrize(
    "other",
    [
        Profile(0.0212, 1000.0, 8.0),
        Profile(0.02, 940.0, 8.0),
        Profile(0.02, 1000.0, 8.5),
    ],
)
def test_another_figure_of_lmdeploys_is_noticed(other: Profile) -> None:
    found = servers()
    told = Agreement((Profile(0.02, 1000.0, 8.0),), (other,))
    found[HOMEWORK.id] = replace(found[HOMEWORK.id], agreement=told)
    with pytest.raises(AssertionError):
        claims.test_lmdeploys_own_protocol_says_the_same(found, keep)


def test_one_odd_round_of_three_decides_nothing() -> None:
    usual, odd = Profile(0.02, 1000.0, 8.0), Profile(0.04, 500.0, 4.0)
    told = Agreement((usual, usual, usual), (odd, usual, usual))
    assert told.apart == 0
    assert told.row()["rounds"][0] == [asdict(usual), asdict(odd)]


@pytest.mark.parametrize(
    ("rung", "found", "words"),
    [
        (INT4_KV, Held(110, 110, 0.4, 30.0), "2.75 >= 3"),
        (INT4_KV, Held(150, 149, 0.4, 30.0), "1 of 150 had to wait, or failed"),
        (HALF_SHARE, Held(40, 38, 0.4, 30.0), "2 of 40 had to wait, or failed"),
        (HALF_SHARE, Held(40, 40, 5.1, 30.0), "dropped to make room"),
    ],
)
def test_a_cache_that_holds_no_more_than_16_bit_or_less_than_it_says_is_noticed(
    rung: Rung, found: Held, words: str
) -> None:
    others = servers()
    with pytest.raises(AssertionError, match=words):
        claims.test_int4_keys_and_values_answer_more_users_at_once(
            others | {rung.id: replace(others[rung.id], held=found)}, keep
        )


def test_as_many_users_as_the_cache_holds_are_answered() -> None:
    claims.test_int4_keys_and_values_answer_more_users_at_once(servers(), keep)


def test_what_was_not_measured_is_no_pass() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"not measured in this run: bf16-0\.4"):
        claims.test_int4_keys_and_values_answer_more_users_at_once({}, keep)
    with pytest.raises(pytest.skip.Exception, match="no GPU"):
        claims.test_int4_keys_and_values_answer_more_users_at_once(servers(None, None), keep)


def test_what_was_held_follows_from_the_timings() -> None:
    whole = [Timing(0.0, (1.0, 1.5, 9.0), 9.0, 3), Timing(0.0, (2.0, 2.1), 2.1, 2), Timing(0.0, (9.5, 9.6), 9.6, 2)]
    failed = Timing(0.0, (1.0, 99.0), 99.0, 2, "the stream ended without a finish_reason")
    assert held([*whole, failed]) == Held(asked=4, at_once=2, longest_gap_s=7.5, seconds=9.6)
