"""The GPUs of each worker and replica, and the models that can be split."""

import contextlib

import pytest

from fixtures.errors import AcceptanceError, GpuError
from fixtures.gpu.placement import check_split, divide


def test_gpus_are_divided_in_order_and_the_rest_is_nobodys_and_too_few_are_rejected() -> None:
    assert divide("abcde", 2, 2, "") == [("a", "b"), ("c", "d")]
    with pytest.raises(GpuError, match="-n 2 takes 2 GPUs, visible: 1"):
        divide("a", 2, 1, "-n 2")


@pytest.mark.parametrize(
    ("heads", "tp", "refusal"),
    [
        ((16, 8), 16, None),
        ((16, 8), 3, "tp_heads"),
        pytest.param((2, 1), 2, None, id="key-value-heads-are-copied"),
        pytest.param((2, 1), 4, "tp_heads", id="attention-heads-are-not"),
        pytest.param((24, 4), 6, "tp_kv_heads", id="uneven-copies"),
        pytest.param((8,), 4, None, id="one-for-each-head"),
        pytest.param((), 2, "config_without_attention", id="config-says-nothing"),
    ],
)
def test_model_is_split_only_by_its_heads(heads: tuple[int, ...], tp: int, refusal: str | None) -> None:
    config = dict(zip(("num_attention_heads", "num_key_value_heads"), heads, strict=False))
    with contextlib.nullcontext() if refusal is None else pytest.raises(AcceptanceError) as raised:
        check_split(config, tp)
    assert refusal is None or raised.value.id == refusal
