"""部署有多快 / How fast the deployment answers, under load. Servers in turn; run with `-m performance`.

The homework sets no limit: what is asserted is that every figure was honestly come by, and the rest is in the report.
"""

import pytest

from fixtures.gpu.probe import Probe
from fixtures.judge.paired import Paired
from fixtures.judge.profile import LEAST_OF_CONTROL, MOST_FLIPS
from fixtures.run.claims import claim
from fixtures.run.measurement import Measure, assert_no_fault, not_measured
from fixtures.server.in_turn import BF16, BF16_INT4, HOMEWORK, Configuration
from fixtures.texts import message
from tests.acceptance.performance.checks import told
from tests.acceptance.performance.measuring import Row

pytestmark = [pytest.mark.gpu, pytest.mark.performance, pytest.mark.alone]

MOST_CPU = 50
"""Per cent of a core for the generator: above it, what comes could wait to be noted."""
AGREES_WITHIN = 5
"""Per cent."""
LEAST_GAIN = 3.0
"""int4 KV over bf16, in requests at once: 3.76 times the tokens; growing answers and whole blocks take some."""
BATCHING_GAIN = 4.0
"""Tokens a second of 32 users over one: an engine that batches gains far more, one that does not nothing."""
DROPPED_S = 5.0
"""Silence in the middle of an answer. Prompts that are let in meanwhile cost those that answer tenths of a second."""

Servers = dict[str, Row]


@claim(
    "performance.answers",
    part="deployment",
    zh="性能：负载下每个请求都得到完整回答",
    en="Performance: every request under load is answered whole",
)
def test_every_request_is_answered_whole(measured: Row, measure: Measure) -> None:
    """Under every load, with exactly the tokens asked for."""
    loads, name = measured["loads"], measured["name"]
    asked, failed = (sum(load[count] for load in loads) for count in ("requests", "failed"))
    measure("whole_answers", asked - failed, expected=asked)
    for load in loads:
        no_answer = message("performance.failed_request", name=name, error=load["error"])
        assert_no_fault(no_answer if load["failed"] else None)
        tokens = load["requests"] * measured["answer_tokens"]
        short = message("performance.short", name=name, load=load["load"], tokens=load["tokens"], asked=tokens)
        assert_no_fault(short if load["tokens"] != tokens else None)


@claim(
    "performance.right_while_fast",
    part="deployment",
    zh="性能：单独提问时答对的，负载下也答对",
    en="Performance: what is right alone is right under load",
)
def test_what_is_right_alone_is_right_while_fast(measured: Row, measure: Measure) -> None:
    """Tool calls beside the timed requests: not shown to be right less often than alone by more than the limit."""
    found, shares = Paired(*measured["checks"]["pairs"]), told(measured)
    measure("right_alone", shares["alone"])
    measure("right_under_load", shares["loaded"])
    if found.control < LEAST_OF_CONTROL * found.trials:
        not_measured("little_right_alone", **shares)
    lost, most = round(100 * max(0.0, found.interval().lower), 1), 100 * MOST_FLIPS
    measure("lost_at_least", lost, "%", at_most=most)
    assert_no_fault(message("performance.wrong", **shares, lost=lost, most=most) if lost > most else None)


@claim(
    "performance.generator",
    part="deployment",
    zh="性能：负载发生器不是瓶颈",
    en="Performance: the load generator is not the bottleneck",
)
def test_generator_is_not_the_bottleneck(measured: Row, measure: Measure) -> None:
    """It waits most of the time, so that what comes is noted when it comes."""
    busiest = 100 * max(load["generator_cpu_share"] for load in measured["loads"])
    measure("generator", busiest, "%", at_most=MOST_CPU)
    assert busiest <= MOST_CPU


@claim(
    "performance.batching",
    part="deployment",
    zh="性能：用户多，总吞吐也高",
    en="Performance: many users share the GPU",
    needs_gpu=True,
)
def test_many_users_share_the_gpu(measured: Row, gpu: Probe | None, measure: Measure) -> None:
    """More users, more tokens a second."""
    if gpu is None:
        not_measured("no_gpu")
    by_users = {load["concurrency"]: load["tokens_per_s"] for load in measured["loads"]}
    gain = by_users[32] / by_users[1]
    measure("tokens_per_s", f"{by_users[1]:.0f} → {by_users[32]:.0f}")
    measure("gain", gain, "×", at_least=BATCHING_GAIN)
    assert gain >= BATCHING_GAIN


@claim(
    "performance.agrees",
    part="deployment",
    zh="性能：与 lmdeploy 自己的压测口径一致",
    en="Performance: lmdeploy's own protocol says the same",
    needs_gpu=True,
)
def test_lmdeploys_own_protocol_says_the_same(servers: Servers, measure: Measure) -> None:
    """On the homework's server, in turn: time to the first token, tokens and requests a second."""
    (homework,) = those(servers, HOMEWORK)
    if homework["agreement"] is None:
        not_measured("not_compared")
    apart = 100 * homework["agreement"]["apart"]
    measure("apart", apart, "%", at_most=AGREES_WITHIN)
    assert apart <= AGREES_WITHIN


@claim(
    "performance.int4_holds_more",
    part="deployment",
    zh="性能：int4 KV 能同时回答更多用户",
    en="Performance: int4 KV answers more users at once",
    needs_gpu=True,
)
def test_int4_keys_and_values_answer_more_users_at_once(servers: Servers, measure: Measure) -> None:
    """Of 8192 tokens each and at equal share, with none that waits and none that is dropped to make room."""
    wide, narrow = (one["held"] for one in those(servers, BF16, BF16_INT4))
    if wide is None or narrow is None:
        not_measured("not_filled")
    gain = narrow["at_once"] / wide["at_once"]
    measure("at_once", f"{wide['at_once']} → {narrow['at_once']}")
    measure("gain", gain, "×", at_least=LEAST_GAIN)
    for one in (wide, narrow):
        waited = message("performance.waited", waited=one["asked"] - one["at_once"], asked=one["asked"])
        assert_no_fault(waited if one["at_once"] != one["asked"] else None)
        dropped = message("performance.dropped", seconds=one["longest_gap_s"])
        assert_no_fault(dropped if one["longest_gap_s"] > DROPPED_S else None)
    assert gain >= LEAST_GAIN


def those(servers: Servers, *configurations: Configuration) -> list[Row]:
    """Return servers that must have been measured before. Raises ClaimFailed where one was not."""
    missing = [one.id for one in configurations if one.id not in servers]
    assert_no_fault(message("performance.not_in_this_run", names=missing) if missing else None)
    return [servers[one.id] for one in configurations]
