"""Codes in words: AWQ's order, there and back."""

import numpy as np
import pytest

from fixtures.model.artefact.packing import IN_ORDER, NIBBLE_TO_COLUMN, unpack_columns
from tools.artefact.quantizer import pack_columns


@pytest.mark.parametrize("order", [NIBBLE_TO_COLUMN, IN_ORDER])
def test_packing_is_undone_by_unpacking(order: tuple[int, ...]) -> None:
    codes = np.random.default_rng(0).integers(0, 16, (5, 24)).astype(np.uint8)
    assert np.array_equal(unpack_columns(pack_columns(codes, order), order), codes)


def test_the_second_nibble_holds_the_third_column() -> None:
    codes = np.arange(8, dtype=np.uint8)[None]
    assert int(pack_columns(codes).view(np.uint32)[0, 0]) == 0x75316420
