"""The acceptance tests of performance, each seen holding and seen failing for its own reason."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fixtures.ladder import HOMEWORK
from fixtures.performance.run import Agreement
from tests.acceptance import test_performance as claims
from tests.unit.performance.answers import measured, servers

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
        Agreement((20.0, 21.2), (1000.0, 1000.0), (8.0, 8.0)),
        Agreement((20.0, 20.0), (1000.0, 940.0), (8.0, 8.0)),
        Agreement((20.0, 20.0), (1000.0, 1000.0), (8.0, 8.5)),
    ],
)
def test_another_figure_of_lmdeploys_is_noticed(other: Agreement) -> None:
    found = servers()
    found[HOMEWORK.id] = replace(found[HOMEWORK.id], agreement=other)
    with pytest.raises(AssertionError):
        claims.test_lmdeploys_own_protocol_says_the_same(found, keep)


@pytest.mark.parametrize(
    ("bf16", "int4", "words"), [(40, 110, "2.75 >= 3"), (40, 190, "had to wait"), (50, 180, "had to wait")]
)
def test_a_cache_that_holds_no_more_or_was_not_filled_is_noticed(bf16: int, int4: int, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        claims.test_int4_keys_and_values_answer_more_users_at_once(servers(bf16, int4), keep)


def test_what_was_not_measured_is_no_pass() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"not measured in this run: bf16-0\.4"):
        claims.test_int4_keys_and_values_answer_more_users_at_once({}, keep)
    with pytest.raises(pytest.skip.Exception, match="no GPU"):
        claims.test_int4_keys_and_values_answer_more_users_at_once(servers(None, None), keep)
