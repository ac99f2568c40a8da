"""Is the quantized model still the model? bf16, W4A16 and W4A16 + int4 KV in turn; run with `-m quality`."""

import pytest

from fixtures.gpu.plugin import NO_GPU
from fixtures.judge.profile import HIGHEST_COST, LEAST_OF_CONTROL
from fixtures.run.claims import claim
from fixtures.run.measurement import Measure
from tests.acceptance.ladder.rungs import KV_RATIO_INT4
from tests.acceptance.quality.configurations import BF16, HOMEWORK, W4A16, Configuration
from tests.acceptance.quality.limits import HIGHEST_NOISE, HIGHEST_RATIO, LEAST_AGREEMENT, LEAST_MOVED, MOVED_OVER_NOISE
from tests.acceptance.quality.result import Quality

pytestmark = [pytest.mark.gpu, pytest.mark.quality]

CLAIMS = {
    one.args[0].id: one
    for one in (
        claim(
            "quality.perplexity_w4a16",
            part="deployment",
            zh="质量：W4A16 的困惑度",
            en="Quality: perplexity of W4A16",
        ),
        claim(
            "quality.perplexity_int4_kv",
            part="deployment",
            zh="质量：W4A16 + int4 KV 的困惑度",
            en="Quality: perplexity of W4A16 + int4 KV",
        ),
        claim(
            "quality.agreement_w4a16",
            part="deployment",
            zh="质量：W4A16 的下一词元一致率",
            en="Quality: next tokens of W4A16",
        ),
        claim(
            "quality.agreement_int4_kv",
            part="deployment",
            zh="质量：W4A16 + int4 KV 的下一词元一致率",
            en="Quality: next tokens of W4A16 + int4 KV",
        ),
        claim(
            "quality.chains_w4a16",
            part="tools",
            zh="质量：W4A16 先加后乘",
            en="Quality: chains on W4A16",
        ),
        claim(
            "quality.chains_int4_kv",
            part="tools",
            zh="质量：W4A16 + int4 KV 先加后乘",
            en="Quality: chains on W4A16 + int4 KV",
        ),
    )
}
"""The mark of each claim, by its id."""


SAME_MIB = 200.0
"""Two servers that should take the same memory: the driver rounds, and a kernel more or less is loaded."""

NOTHING_TO_LOSE = "the unquantized checkpoint knows nothing of these texts, as random weights do: no quality to lose"


def claimed(about: str) -> pytest.MarkDecorator:
    """The quantized configurations, each under a claim of its own."""
    return pytest.mark.parametrize(
        "configuration",
        [
            pytest.param(configuration, id=name, marks=CLAIMS[f"quality.{about}_{name}"])
            for name, configuration in (("w4a16", W4A16), ("int4_kv", HOMEWORK))
        ],
    )


@claim(
    "quality.measure_repeats",
    part="deployment",
    zh="质量：重复测量得到同样的结果",
    en="Quality: asked again, the answers are the same",
)
def test_a_second_asking_answers_the_same(quality: Quality, measure: Measure) -> None:
    """The unquantized server, asked twice: noise must be small against what the limits allow."""
    again = quality.ratio(BF16.name, asking=1)
    agreed = quality.agreement(BF16.name, asking=1)
    measure("perplexity", str(again), limit=f"within {100 * HIGHEST_NOISE:g} %")
    measure("agreement", str(agreed), limit=f">= {1 - HIGHEST_NOISE:g}")
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
    noise = quality.moved(BF16.name, BF16.name, asking=1)
    moved = quality.moved(W4A16.name, HOMEWORK.name)
    least = max(LEAST_MOVED, MOVED_OVER_NOISE * noise)
    measure("loss_moved", f"{moved:.2g}", "nats/token", f">= {least:.2g}")
    assert moved >= least


@claimed("perplexity")
def test_perplexity_stays(configuration: Configuration, quality: Quality, measure: Measure) -> None:
    """On texts that the unquantized model knows something of."""
    if not quality.known:
        pytest.skip(NOTHING_TO_LOSE)
    found = quality.ratio(configuration.name)
    measure("perplexity", str(found), limit=f"<= {HIGHEST_RATIO:g} x {quality.perplexity(BF16.name):.3f}")
    assert found.value <= HIGHEST_RATIO


@claimed("agreement")
def test_the_next_token_stays(configuration: Configuration, quality: Quality, measure: Measure) -> None:
    """Greedy, at the same prompts: the agreement is not shown to lie below what is tolerated."""
    if not quality.known:
        pytest.skip(NOTHING_TO_LOSE)
    found = quality.agreement(configuration.name)
    measure("agreement", str(found), limit=f"not shown below {LEAST_AGREEMENT:g}")
    assert found.interval.upper >= LEAST_AGREEMENT


@claimed("chains")
def test_two_step_chains_stay_right(configuration: Configuration, quality: Quality, measure: Measure) -> None:
    """The same questions, greedy: quantization is not shown to cost more than is tolerated."""
    found = quality.tasks(configuration.name)
    if not found.control and not quality.known:
        pytest.skip(NOTHING_TO_LOSE)
    measure("control", found.told, limit=f"cost not shown above {100 * HIGHEST_COST:g} points")
    assert found.control >= LEAST_OF_CONTROL * found.trials, f"nothing to compare with: {found}"
    assert found.interval().lower <= HIGHEST_COST


@claim(
    "quality.memory",
    part="deployment",
    zh="质量换来的：int4 KV 容纳更多词元",
    en="What it buys: int4 KV holds more tokens",
    needs_gpu=True,
)
def test_int4_keys_and_values_buy_tokens(quality: Quality, measure: Measure) -> None:
    """Behind the same weights: more tokens in the same memory."""
    wide, narrow = quality.named(W4A16.name), quality.named(HOMEWORK.name)
    if wide.vram_mib is None or narrow.vram_mib is None:
        pytest.skip(NO_GPU)
    measure("vram", f"{wide.vram_mib}, {narrow.vram_mib}", "MiB", f"within {SAME_MIB:g} MiB")
    assert abs(wide.vram_mib - narrow.vram_mib) <= SAME_MIB
    if wide.kv_tokens is None or narrow.kv_tokens is None:
        pytest.skip("not measured: this engine does not say how many tokens its cache holds")
    times = narrow.kv_tokens / wide.kv_tokens
    measure("kv_tokens", f"{narrow.kv_tokens} / {wide.kv_tokens} = {times:.2f}", limit=f">= {KV_RATIO_INT4:g}")
    assert times >= KV_RATIO_INT4
