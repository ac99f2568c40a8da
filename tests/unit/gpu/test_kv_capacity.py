"""The KV cache is read from every wording that lmdeploy has had, and is compared with the promise."""

import pytest

from fixtures.errors import ServerError
from fixtures.gpu.kv_capacity import LoggedCache, capacity_fault, read_log, read_usage
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
        pytest.param(BLOCKS + "\nmax_block_count = 1\n", 966513 * 64, id="up-to-0.11"),
        pytest.param(BLOCKS_AND_TOKENS, 1216000, id="0.12-to-0.14"),
        pytest.param(BUDGET, 1264000, id="0.15-on"),
        pytest.param(BUDGET.replace("31477.00", "63.90") + SLABS, 20 * 64, id="slab-that-does-not-fit-whole"),
    ],
)
def test_tokens_are_read_from_every_wording(log: str, tokens: int) -> None:
    assert read_log(log, GEOMETRY, PROMISED).tokens == tokens


def test_newest_log_tells_bytes_share_and_block() -> None:
    assert read_log(BUDGET + SLABS, GEOMETRY, PROMISED) == LoggedCache(
        tokens=983 * 20 * 64,
        line="Object cache budget: 31477.00 MB from free 78692.50 MB and ratio 0.400; "
        "slab_size 33554432, object_size 1671168, object_count 20",
        mib=31477.0,
        free_mib=78692.5,
        share=0.4,
        block_bytes=1671168,
    )


def test_unknown_wording_is_an_error() -> None:
    with pytest.raises(ServerError, match="does not say how large the KV cache is"):
        read_log("[TM][INFO] something new\n", GEOMETRY, PROMISED)


@pytest.mark.parametrize(
    ("log", "fault"),
    [
        pytest.param(BUDGET + SLABS, None, id="as-promised"),
        pytest.param(BLOCKS_AND_TOKENS, None, id="tokens-as-promised"),
        pytest.param(BUDGET + SLABS.replace("1671168", "1675264"), None, id="within-a-percent"),
        pytest.param(BUDGET + SLABS.replace("1671168", "6291456"), "kv.bits.0", id="16-bit-blocks"),
        pytest.param(BUDGET + SLABS.replace("1671168", "3244032"), "kv.bits.8", id="8-bit-blocks"),
        pytest.param(BUDGET + SLABS.replace("1671168", "1"), "kv.bits.unknown", id="no-known-bits"),
        pytest.param(BUDGET.replace("0.400", "0.800"), "kv.fault.share", id="share"),
        pytest.param("max_block_count = 5102\n", "kv.fault.tokens", id="tokens"),
    ],
)
def test_broken_promise_is_found(log: str, fault: str | None) -> None:
    found = capacity_fault(read_log(log, GEOMETRY, PROMISED), GEOMETRY, PROMISED, 1264000)
    assert (found and (found.fields["kept"].id if found.id == "kv.fault.bits" else found.id)) == fault


@pytest.mark.parametrize(
    ("metrics", "usage"),
    [
        ('# HELP lmdeploy:gpu_cache_usage_perc GPU\nlmdeploy:gpu_cache_usage_perc{engine="0"} 0.25\n', 0.25),
        ("lmdeploy:num_requests_running 3.0\n", None),
        ("lmdeploy:gpu_cache_usage_perc{} much\n", None),
    ],
)
def test_usage_is_read_from_the_metrics(metrics: str, usage: float | None) -> None:
    assert read_usage(metrics) == usage
