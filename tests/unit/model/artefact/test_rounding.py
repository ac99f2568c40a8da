"""The order of codes in words, and layers that are compared a part at a time."""

import numpy as np
import pytest

from fixtures.model.artefact.architecture import PLAIN
from fixtures.model.artefact.rounding import Quantized, compare
from tools.artefact.quantizer import pack_columns


def test_second_nibble_holds_the_third_column() -> None:
    codes = np.arange(8, dtype=np.uint8)[None]
    assert int(pack_columns(codes).view(np.uint32)[0, 0]) == 0x75316420


def test_layer_larger_than_a_tile_is_compared_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fixtures.model.artefact.rounding.TILE", 32 * 16)
    codes = np.random.default_rng(2).integers(0, 16, (16, 72)).astype(np.uint8)
    codes[0], codes[1] = 0, 15
    scales = np.full((1, 72), 0.5, np.float32)
    stored = Quantized(pack_columns(codes), pack_columns(np.full((1, 72), 6, np.uint8)), scales, "F32")
    values = np.ascontiguousarray((codes.T - 6.0) * 0.5, np.float32)
    layer = ("F32", stored, np.ones(16, np.float32), np.ones(72, np.float32), 16, PLAIN)
    result = compare(values, *layer)
    assert (result.right, result.error, result.furthest) == (True, 0.0, 0.0)
    assert result.lowest.tolist() == [[-3.0]] * 72
    values[70, 9] += -0.5 if codes[9, 70] > 7 else 0.5
    damaged = compare(values, *layer)
    assert np.argwhere(damaged.far).tolist() == [[70, 0]]
    assert damaged.furthest == pytest.approx(1.0)
