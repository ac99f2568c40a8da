"""Is the quantized model still the model? bf16, W4A16 and its KV caches in turn; run with `-m quality`."""

import pytest

from fixtures.judge.profile import HIGHEST_COST, LEAST_OF_CONTROL
from fixtures.run.claims import claim
from fixtures.run.measurement import Measure, assert_no_fault, not_measured
from fixtures.server.in_turn import BF16, HOMEWORK, KV_RATIO_INT4, SAME_MIB, W4A16, W4A16_INT8
from fixtures.texts import message
from tests.acceptance.quality.limits import HIGHEST_NOISE, HIGHEST_RATIO, LEAST_AGREEMENT, LEAST_MOVED, MOVED_OVER_NOISE
from tests.acceptance.quality.result import Quality

pytestmark = [pytest.mark.gpu, pytest.mark.quality]


def each(what: str, part: str, zh: str, en: str) -> pytest.MarkDecorator:
    """Parametrize a test with the quantized servers: a claim for each, with its name in the titles. Those about int8 KV
    are beyond, since older runs have none: they count where they were decided, and a run does not lack them."""
    return pytest.mark.parametrize(
        "name",
        [
            pytest.param(
                title,
                marks=claim(
                    f"quality.{what}_{id_}",
                    part=part,
                    zh=f"质量：{title} {zh}",
                    en=f"Quality: {en} {title}",
                    beyond=title == W4A16_INT8.title,
                ),
                id=id_,
            )
            for id_, title in (("w4a16", W4A16.title), ("int8_kv", W4A16_INT8.title), ("int4_kv", HOMEWORK.title))
        ],
    )


@claim(
    "quality.measure_repeats",
    part="deployment",
    zh="质量：重复测量得到同样的结果",
    en="Quality: asked again, the answers are the same",
)
def test_second_asking_answers_the_same(quality: Quality, measure: Measure) -> None:
    """The unquantized server, asked twice: noise must be small against what the limits allow."""
    again = quality.ratio(BF16.title, asking=1)
    agreed = quality.agreement(BF16.title, asking=1)
    measure("perplexity_ratio", str(again), limit=f"1 ± {HIGHEST_NOISE:g}")
    measure("agreement", str(agreed), at_least=1 - HIGHEST_NOISE)
    assert abs(again.value - 1) <= HIGHEST_NOISE
    if not quality.known:
        return  # random weights decide between nearly equal tokens: there the agreement is noise, and judges nothing
    assert agreed.share >= 1 - HIGHEST_NOISE


@claim(
    "quality.measure_sees_the_cache",
    part="deployment",
    zh="质量：困惑度能反映 int4 KV 的影响",
    en="Quality: int4 keys and values show in the perplexity",
)
def test_int4_keys_and_values_show_in_the_perplexity(quality: Quality, measure: Measure) -> None:
    """Else the losses come from keys and values that never were in the cache, and say nothing about it."""
    noise = quality.moved(BF16.title, BF16.title, asking=1)
    moved = quality.moved(W4A16.title, HOMEWORK.title)
    least = max(LEAST_MOVED, MOVED_OVER_NOISE * noise)
    measure("loss_moved", f"{moved:.2g}", "nats", at_least=f"{least:.2g}")
    assert moved >= least


@each("perplexity", "deployment", "的困惑度", "perplexity of")
def test_perplexity_stays(name: str, quality: Quality, measure: Measure) -> None:
    """On texts that the unquantized model knows something of."""
    if not quality.known:
        not_measured("nothing_to_lose")
    found = quality.ratio(name)
    measure("perplexity_ratio", str(found), at_most=HIGHEST_RATIO)
    assert found.value <= HIGHEST_RATIO


@each("agreement", "deployment", "的下一个 token 一致率", "next tokens of")
def test_next_token_stays(name: str, quality: Quality, measure: Measure) -> None:
    """Greedy, at the same prompts: the agreement is not shown to lie below what is tolerated."""
    if not quality.known:
        not_measured("nothing_to_lose")
    found = quality.agreement(name)
    measure("agreement", str(found), limit=message("quality.not_shown_below", least=LEAST_AGREEMENT))
    assert found.interval.upper >= LEAST_AGREEMENT


@each("chains", "tools", "先加后乘", "chains on")
def test_two_step_chains_stay_right(name: str, quality: Quality, measure: Measure) -> None:
    """The same questions, greedy: quantization is not shown to cost more than is tolerated."""
    found = quality.tasks(name)
    if not found.control and not quality.known:
        not_measured("nothing_to_lose")
    interval = found.interval()
    right = {"before": found.control, "after": found.quantized, "trials": found.trials}
    measure("chains", message("quality.right", **right))
    points = f"{100 * found.cost:.1f} [{100 * interval.lower:.1f}, {100 * interval.upper:.1f}]"
    measure("cost", points, "%", limit=message("quality.not_shown_above", most=100 * HIGHEST_COST))
    assert_no_fault(
        message("quality.nothing_to_compare", **right)
        if found.control < LEAST_OF_CONTROL * found.trials
        else message("quality.cost", **right, points=points)
        if interval.lower > HIGHEST_COST
        else None
    )


@claim(
    "quality.memory",
    part="deployment",
    zh="质量换来的：int4 KV 容纳更多 token",
    en="What it buys: int4 KV holds more tokens",
    needs_gpu=True,
)
def test_int4_keys_and_values_buy_tokens(quality: Quality, measure: Measure) -> None:
    """Behind the same weights: more tokens in the same memory."""
    wide, narrow = quality.named(W4A16.title), quality.named(HOMEWORK.title)
    if wide.vram_mib is None or narrow.vram_mib is None:
        not_measured("no_gpu")
    measure("vram", narrow.vram_mib, "MiB", limit=f"{wide.vram_mib} ± {SAME_MIB:g}")
    assert abs(wide.vram_mib - narrow.vram_mib) <= SAME_MIB
    if wide.kv_tokens is None or narrow.kv_tokens is None:
        not_measured("tokens_not_told")
    least = KV_RATIO_INT4 * wide.kv_tokens
    measure("kv_tokens", narrow.kv_tokens, at_least=round(least))
    assert narrow.kv_tokens >= least
