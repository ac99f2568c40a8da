"""The claims, the report's section and the record, on made-up servers. Nothing in here was measured."""

from typing import Any

import pytest

from fixtures.evidence.events import Entry
from fixtures.report.summary import summarize
from fixtures.server.in_turn import BF16, BF16_INT4, HOMEWORK, Configuration
from fixtures.texts import LANGUAGES, Texts, message
from tests.acceptance.performance import test_performance as claims
from tests.acceptance.performance.events import PerformanceMeasured
from tests.acceptance.performance.formulas import Timing
from tests.acceptance.performance.generator import Sent
from tests.acceptance.performance.measuring import Row, load_row, requests
from tests.acceptance.performance.record import records
from tests.acceptance.performance.reference import Profile, agreement
from tests.acceptance.performance.section import key_figures, section
from tests.acceptance.performance.workloads import Load
from tests.unit.report.one_suite import run_of

GPU: Any = object()
TOKENS = 4
LOADS = (Load(2, concurrency=1), Load(32, concurrency=32), Load(4, rate=4.0))
USUAL = Profile(0.02, 1000.0, 8.0)


def keep(*_: Any, **__: Any) -> None:
    """Where a claim's figures go."""


def sent(load: Load, tokens: int = TOKENS, error: str = "", cpu: float = 0.1) -> Sent:
    """Every request sent at its time, the first piece after 50 ms."""
    timings = []
    for number in range(load.requests):
        at = load.times()[number] if load.rate else float(number // (load.concurrency or 1))
        pieces = tuple(at + 0.05 + 0.01 * piece for piece in range(TOKENS))
        timings.append(Timing(at, pieces, pieces[-1], tokens, error if number == 1 else ""))
    return Sent(tuple(timings), cpu)


def row(served: Configuration = HOMEWORK, at_once: int | None = 150, asked: int = 150, **change: Any) -> Row:
    """A server with three loads; `change` goes to each of them."""
    held = {"context_tokens": 8192, "asked": asked, "at_once": at_once, "longest_gap_s": 0.4, "seconds": 31.5}
    return {
        "name": served.id,
        "prompt_tokens": 256,
        "answer_tokens": TOKENS,
        "loads": [load_row(load, sent(load, **change)) for load in LOADS],
        "checks": {"pairs": [70, 0, 0, 1], "first": None},
        "held": held if at_once else None,
        "agreement": agreement([USUAL], [Profile(0.0204, 990.0, 8.1)]) if served == HOMEWORK else None,
    }


def checked(*pairs: int) -> Row:
    return {**row(), "checks": {"pairs": pairs, "first": message("fault.no_call", reply="42").as_json()}}


def servers(*changed: Row) -> dict[str, Row]:
    return {one["name"]: one for one in (row(BF16, 40, 40), row(BF16_INT4), row(), *changed)}


def entries(*rows: Row) -> list[Entry]:
    raw = [requests(sent(load)) for load in LOADS]
    return run_of("performance", *(PerformanceMeasured(one, raw) for one in rows))


def test_honest_servers_pass_every_claim() -> None:
    claims.test_every_request_is_answered_whole(row(), keep)
    for pairs in ((71, 0, 0, 0), (66, 5, 0, 0), (30, 10, 10, 21), (36, 0, 0, 35)):
        claims.test_what_is_right_alone_is_right_while_fast(checked(*pairs), keep)
    claims.test_generator_is_not_the_bottleneck(row(), keep)
    claims.test_many_users_share_the_gpu(row(), GPU, keep)
    claims.test_lmdeploys_own_protocol_says_the_same(servers(), keep)
    claims.test_int4_keys_and_values_answer_more_users_at_once(servers(), keep)


def test_failed_request_short_answer_busy_generator_and_lone_answers_are_noticed() -> None:
    with pytest.raises(AssertionError, match=r"w4a16-int4-0\.4: HTTP 503"):
        claims.test_every_request_is_answered_whole(row(error="HTTP 503"), keep)
    with pytest.raises(AssertionError, match="1 at a time: the answers have 6 tokens, 8"):
        claims.test_every_request_is_answered_whole(row(tokens=3), keep)
    with pytest.raises(AssertionError, match=r"71 / 71 .* 65 / 71 \[82\.8, 96\.1\] %.* at least 1\.6 % fewer.*42"):
        claims.test_what_is_right_alone_is_right_while_fast(checked(65, 6, 0, 0), keep)
    with pytest.raises(AssertionError):
        claims.test_generator_is_not_the_bottleneck(row(cpu=0.51), keep)
    slow = row()
    slow["loads"][1]["tokens_per_s"] = slow["loads"][0]["tokens_per_s"]
    with pytest.raises(AssertionError):
        claims.test_many_users_share_the_gpu(slow, GPU, keep)


@pytest.mark.parametrize("other", [Profile(0.0212, 1000.0, 8.0), Profile(0.02, 940.0, 8.0), Profile(0.02, 1000.0, 8.5)])
def test_other_figure_of_lmdeploys_is_noticed(other: Profile) -> None:
    found = {**row(), "agreement": agreement([USUAL], [other])}
    with pytest.raises(AssertionError):
        claims.test_lmdeploys_own_protocol_says_the_same(servers(found), keep)


def test_one_odd_round_of_three_decides_nothing() -> None:
    assert agreement([USUAL] * 3, [Profile(0.04, 500.0, 4.0), USUAL, USUAL])["apart"] == 0


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (row(BF16_INT4, 110, 110), "2.75 >= 3"),
        (row(BF16_INT4, 149, 150), "1 of 150 had to wait, or failed"),
        (row(BF16, 38, 40), "2 of 40 had to wait, or failed"),
        ({**row(BF16), "held": {**row(BF16, 40, 40)["held"], "longest_gap_s": 5.1}}, "dropped to make room"),
    ],
)
def test_cache_that_holds_less_than_it_says_is_noticed(found: Row, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        claims.test_int4_keys_and_values_answer_more_users_at_once(servers(found), keep)


def test_what_was_not_measured_is_no_pass() -> None:
    with pytest.raises(AssertionError, match=r"not measured in this run: bf16-0\.4"):
        claims.test_int4_keys_and_values_answer_more_users_at_once({}, keep)
    with pytest.raises(pytest.skip.Exception, match="no GPU"):
        claims.test_int4_keys_and_values_answer_more_users_at_once(servers(row(BF16, None)), keep)
    with pytest.raises(pytest.skip.Exception, match="no GPU"):
        claims.test_many_users_share_the_gpu(row(), None, keep)
    with pytest.raises(pytest.skip.Exception, match=r"only 35 / 71 .*42"):
        claims.test_what_is_right_alone_is_right_while_fast(checked(0, 35, 0, 36), keep)


@pytest.mark.parametrize("language", LANGUAGES)
def test_report_shows_every_load_and_a_picture(language: str) -> None:
    run, texts = summarize(entries(*servers().values())), Texts(language)
    page = str(section(run, texts))
    assert page.count("<tr>") == 1 + 3 * 3
    assert "<polyline" in page
    assert [figure.note for figure in key_figures(run, texts)] == [
        texts.say("performance.at_a_time", users=users) for users in (32, 1, 1)
    ]
    assert "<svg" not in str(section(summarize(entries({**row(), "loads": row()["loads"][2:]})), texts))
    assert section(summarize(entries()), texts) is None
    assert page.count("70 / 71 [92.4, 99.8] %") == 3 * 2
    old = {name: value for name, value in row().items() if name != "checks"}
    assert str(section(summarize(entries(old)), texts)).count("<p>") == 2, "of a run before there were checks"


def test_record_has_every_server_and_what_each_request_took() -> None:
    found = records(entries(*servers().values()))
    assert [one["name"] for one in found["performance-{gpu}"]["servers"]] == list(servers())
    assert found["performance-{gpu}-samples"]["servers"][HOMEWORK.id][0][0] == [0.0, 0.05, 0.08, TOKENS]
    assert records(entries()) == {}
    with pytest.raises(ValueError, match=r"servers are missing: bf16-int4-0\.4"):
        records(entries(row(BF16)))
