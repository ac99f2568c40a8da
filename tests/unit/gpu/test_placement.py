"""Who gets which GPU, and which models can be split."""

from __future__ import annotations

import pytest

from fixtures.errors import CheckpointError, GpuError
from fixtures.gpu.placement import divide, why_not_divisible

THE_1_8B = {"num_attention_heads": 16, "num_key_value_heads": 8}
THE_STANDIN = {"num_attention_heads": 2, "num_key_value_heads": 1}


def test_equal_shares_in_order_and_the_rest_is_nobodys() -> None:
    assert divide("abcde", 2, 2, "") == [("a", "b"), ("c", "d")]
    assert divide("ab", 1, 1, "") == [("a",)]


@pytest.mark.parametrize(("gpus", "words"), [("a", "takes 2 GPUs, and 1 is visible"), ("", "and 0 are visible")])
def test_too_few(gpus: str, words: str) -> None:
    with pytest.raises(GpuError, match=words) as raised:
        divide(gpus, 2, 1, "-n 2")
    assert raised.value.remedy


@pytest.mark.parametrize("tp", [1, 2, 4, 8, 16])
def test_the_1_8b_can_be_split(tp: int) -> None:
    assert why_not_divisible(THE_1_8B, tp) == ""


def test_key_value_heads_may_be_copied_and_attention_heads_not() -> None:
    assert why_not_divisible(THE_STANDIN, 2) == ""
    assert "2 attention heads" in why_not_divisible(THE_STANDIN, 4)
    assert "16 attention heads" in why_not_divisible(THE_1_8B, 3)
    assert "4 key-value heads" in why_not_divisible({"num_attention_heads": 24, "num_key_value_heads": 4}, 6)


def test_a_model_without_key_value_heads_has_one_for_each_head() -> None:
    assert why_not_divisible({"num_attention_heads": 8}, 4) == ""


def test_a_config_that_says_nothing() -> None:
    with pytest.raises(CheckpointError, match="attention"):
        why_not_divisible({}, 2)
