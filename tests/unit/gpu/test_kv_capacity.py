"""The KV cache is read from every wording that lmdeploy has had, and what it tells is compared with the promise."""

from __future__ import annotations

import pytest

from fixtures.errors import ServerError
from fixtures.gpu.kv_capacity import LoggedCache, bits_kept, read_log, read_usage, capacity_fault
from fixtures.gpu.memory_model import Geometry, Knobs

GEOMETRY = Geometry(layers=24, kv_heads=8, head_dim=128)
PROMISED = Knobs(share=0.4, quant_policy=4)

BLOCKS = """\
[TM][INFO] [BlockManager] block_size = 0.033 MB
[TM][INFO] [BlockManager] max_block_count = 966513
[TM][INFO] [BlockManager] chunk_size = 966513
"""
BLOCKS_AND_TOKENS = "[TM][INFO] max_block_count = 19000\n[TM][INFO] max cached tokens: 1216000\n"
BUDGET = "[TM][INFO] Object cache budget: 31477.00 MB from free 78692.50 MB and ratio 0.400\n"
SLABS = "[TM][WARN] slab_size 33554432, object_size 1671168, object_count 20, ratio 0.99609375\n"


@pytest.mark.parametrize(
    ("log", "tokens"),
    [
        pytest.param(BLOCKS, 966513 * 64, id="up-to-0.11"),
        pytest.param(BLOCKS_AND_TOKENS, 1216000, id="0.12-to-0.14"),
        pytest.param(BUDGET, 1264000, id="0.15-on"),
        pytest.param(BUDGET + SLABS, 983 * 20 * 64, id="0.15-on-with-slabs"),
        pytest.param("loading\n" + BLOCKS + "\nmax_block_count = 1\n", 966513 * 64, id="first-one-counts"),
    ],
)
def test_reads_the_tokens(log: str, tokens: int) -> None:
    assert read_log(log, GEOMETRY, PROMISED).tokens == tokens


def test_reads_all_that_the_newest_says() -> None:
    assert read_log(BUDGET + SLABS, GEOMETRY, PROMISED) == LoggedCache(
        tokens=983 * 20 * 64,
        line="Object cache budget: 31477.00 MB from free 78692.50 MB and ratio 0.400; "
        "slab_size 33554432, object_size 1671168, object_count 20",
        mib=31477.0,
        free_mib=78692.5,
        share=0.4,
        block_bytes=1671168,
    )


def test_the_line_that_was_read_is_kept() -> None:
    assert read_log(BLOCKS, GEOMETRY, PROMISED).line.endswith("max_block_count = 966513")
    assert read_log(BLOCKS_AND_TOKENS, GEOMETRY, PROMISED).line.endswith("max cached tokens: 1216000")


def test_a_slab_that_does_not_fit_whole_holds_nothing() -> None:
    budget = BUDGET.replace("31477.00", "63.90")  # of 32 MiB slabs, one
    assert read_log(budget + SLABS, GEOMETRY, PROMISED).tokens == 20 * 64


def test_a_log_that_does_not_say_it_is_an_error() -> None:
    with pytest.raises(ServerError, match="does not say how large the KV cache is"):
        read_log("[TM][INFO] something new\n", GEOMETRY, PROMISED)


@pytest.mark.parametrize(
    ("block_bytes", "quant_policy"),
    [(98304 * 64, 0), (50688 * 64, 8), (26112 * 64, 4), (26112 * 64 + 4096, 4), (1, None)],
)
def test_the_size_of_a_block_tells_the_bits(block_bytes: int, quant_policy: int | None) -> None:
    assert bits_kept(block_bytes, GEOMETRY) == quant_policy


def test_a_cache_as_promised_is_as_promised() -> None:
    assert capacity_fault(read_log(BUDGET + SLABS, GEOMETRY, PROMISED), GEOMETRY, PROMISED, 1264000) is None
    assert capacity_fault(read_log(BLOCKS_AND_TOKENS, GEOMETRY, PROMISED), GEOMETRY, PROMISED, 1264000) is None


@pytest.mark.parametrize(
    ("log", "words"),
    [
        pytest.param(
            BUDGET + SLABS.replace("1671168", "6291456"), "kept as 16-bit numbers, int4 was", id="16-bit-blocks"
        ),
        pytest.param(BUDGET + SLABS.replace("1671168", "3244032"), "kept as int8, int4 was", id="int8-blocks"),
        pytest.param(BUDGET.replace("0.400", "0.800"), "took 0.8 of the free memory, 0.4 was", id="share"),
        pytest.param("max_block_count = 5102\n", "holds 326528 tokens, 1264000 were promised", id="tokens"),
        pytest.param("max_block_count = 5102\n", "16-bit numbers instead of int4", id="what-would-explain-it"),
        pytest.param(BUDGET + SLABS.replace("1671168", "1"), "kept as something unknown", id="no-known-bits"),
    ],
)
def test_a_broken_promise_is_named(log: str, words: str) -> None:
    assert words in str(capacity_fault(read_log(log, GEOMETRY, PROMISED), GEOMETRY, PROMISED, 1264000))


@pytest.mark.parametrize(
    ("metrics", "usage"),
    [
        (
            '# HELP lmdeploy:gpu_cache_usage_perc GPU\nlmdeploy:gpu_cache_usage_perc{engine="0",model_name="m"} 0.25\n',
            0.25,
        ),
        ("lmdeploy:gpu_cache_usage_perc 1.0\n", 1.0),
        ("lmdeploy:gpu_cache_usage_perc{} 2.5e-02", 0.025),
        ("lmdeploy:num_requests_running 3.0\n", None),
        ("lmdeploy:gpu_cache_usage_perc{} much\n", None),
        ("", None),
    ],
)
def test_reads_the_metrics(metrics: str, usage: float | None) -> None:
    assert read_usage(metrics) == usage
