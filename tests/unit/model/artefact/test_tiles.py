"""Tiles hold the numbers that a checkpoint has, each at the place that the order of the bytes gives it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from fixtures.model.artefact.packing import IN_ORDER, NIBBLE_TO_COLUMN
from fixtures.model.artefact.rounding import ROUNDINGS, Quantized, Smoothing, compare
from fixtures.model.artefact.tensors import as_float, rounded
from fixtures.model.artefact.tiles import Held, Order, Slab, scratch, tile, unpacked
from tools.artefact.quantizer import pack_columns

OUTPUTS, INPUTS, GROUPS = 48, 60, 5


@pytest.mark.parametrize("columns", [NIBBLE_TO_COLUMN, IN_ORDER])
def test_codes_and_outputs_have_the_same_order(columns: tuple[int, ...]) -> None:
    codes = np.random.default_rng(0).integers(0, 16, (3, OUTPUTS)).astype(np.uint8)
    halves = unpacked(pack_columns(codes[:, np.arange(OUTPUTS)], columns))
    order = Order(columns)
    assert np.array_equal(halves.transpose(1, 0, 2).reshape(3, -1), order.places(codes))
    assert np.array_equal(order.outputs(order.places(codes)), codes.T)


@pytest.mark.parametrize("dtype", ["BF16", "F16", "F32"])
@pytest.mark.parametrize("keep", [False, True])
def test_a_tile_is_a_group_turned_with_its_even_inputs_first(dtype: str, keep: bool) -> None:
    stored = rounded(np.random.default_rng(1).normal(size=(OUTPUTS + 8, INPUTS)).astype(np.float32), dtype)
    order, length = Order(), INPUTS // GROUPS
    slab = Slab.of(OUTPUTS, INPUTS, dtype, GROUPS, order)
    Held(stored, dtype).fill(8, slab.pieces)
    wanted = order.places(as_float(stored[8:], dtype).T)
    groups = slab.turned(dtype, keep)
    for number, turned in enumerate(list(groups) if keep else groups):
        of_group = wanted[number * length : (number + 1) * length]
        assert np.array_equal(tile(turned, dtype), np.concatenate([of_group[0::2], of_group[1::2]]))
        inputs, places = np.array([0, 3, length - 1]), np.array([5, 0, OUTPUTS - 1])
        assert np.array_equal(slab.picked(dtype, number, inputs, places), tile(turned, dtype)[inputs, places])


def test_a_buffer_is_used_again_and_begins_at_a_cache_line() -> None:
    one = scratch("test", (3, 5), np.float32)
    one[:] = 7
    two = scratch("test", (2, 4), np.float32)
    assert two.tolist() == [[7.0] * 4] * 2
    assert one.ctypes.data % 64 == 0


class Watched(Held):
    """Counts the rows that are asked for."""

    asked: Sequence[int] = ()

    def fill(self, first: int, pieces: Sequence[memoryview]) -> None:
        """Copied."""
        Watched.asked = [*Watched.asked, first]
        super().fill(first, pieces)


def test_a_layer_of_more_outputs_than_a_tile_has_is_looked_at_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fixtures.model.artefact.rounding.OUTPUTS", 32)
    random = np.random.default_rng(2)
    codes = random.integers(0, 16, (16, 72)).astype(np.uint8)
    codes[0], codes[1] = 0, 15
    scales = np.full((1, 72), 0.5, np.float32)
    stored = Quantized(pack_columns(codes), pack_columns(np.full((1, 72), 6, np.uint8)), scales, "F32")
    weight = Watched(np.ascontiguousarray((codes.T - 6.0) * 0.5, np.float32), "F32")
    result = compare(weight, stored, Smoothing.none(72, 16), 16, ROUNDINGS["attention.wo"])
    assert list(Watched.asked) == [0, 32, 64]
    assert (result.right, result.error, result.furthest) == (True, 0.0, 0.0)
    assert result.lowest.tolist() == [[-3.0]] * 72
    weight.values[70, 9] += -0.5 if codes[9, 70] > 7 else 0.5
    damaged = compare(weight, stored, Smoothing.none(72, 16), 16, ROUNDINGS["attention.wo"])
    assert np.argwhere(damaged.far).tolist() == [[70, 0]]
    assert damaged.furthest == pytest.approx(1.0)
