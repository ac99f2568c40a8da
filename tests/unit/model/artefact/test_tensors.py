"""Reading tensors: exact numbers, whole files, shards that agree with their index."""

import os
from pathlib import Path

import numpy as np
import pytest

from fixtures.errors import CheckpointError
from fixtures.model.artefact.tensors import TensorFiles, as_float, rounded
from tools.artefact.stored import read_all, write_all


def test_bfloat16_is_rounded_to_even_and_read_exactly() -> None:
    values = np.array([1.0, 1.00390625, 1.01171875, -2.5, 3.0e38], np.float32)  # the second and third are ties
    assert as_float(rounded(values, "BF16"), "BF16").tolist()[:4] == [1.0, 1.0, 1.015625, -2.5]


@pytest.mark.parametrize("dtype", ["BF16", "F16", "F32"])
def test_tensors_are_read_as_written(dtype: str, tmp_path: Path) -> None:
    values = np.random.default_rng(1).normal(size=(3, 70)).astype(np.float32)
    tensors = {"a": (dtype, rounded(values, dtype)), "b": ("I32", np.arange(4, dtype=np.int32))}
    write_all(tmp_path / "model.safetensors", tensors)
    found = read_all(tmp_path)
    assert all(np.array_equal(found[name][1], tensors[name][1]) for name in tensors)
    flat = tensors["a"][1].reshape(-1)
    files = TensorFiles(tmp_path)
    files.expect("a")
    chunks = list(files.chunks("a", 64))
    assert np.array_equal(files.part("a", 100, 30), flat[100:130])
    assert [len(chunk) for chunk in chunks] == [64, 64, 64, 18]
    assert np.array_equal(np.concatenate(chunks), flat)


def test_unknown_dtype_is_refused(tmp_path: Path) -> None:
    write_all(tmp_path / "model.safetensors", {"odd": ("F8_E4M3", np.zeros(3, np.uint8))})
    with pytest.raises(CheckpointError, match="odd has the dtype F8_E4M3"):
        TensorFiles(tmp_path)


def test_file_that_became_shorter_is_refused(tmp_path: Path) -> None:
    write_all(tmp_path / "model.safetensors", {"a": ("I32", np.arange(100, dtype=np.int32))})
    files = TensorFiles(tmp_path)
    os.truncate(tmp_path / "model.safetensors", 200)
    with pytest.raises(CheckpointError, match=r"model\.safetensors ended inside a"):
        files.read("a")
