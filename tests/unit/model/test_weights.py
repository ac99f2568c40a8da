"""Numbers that are none and runs of zeros are found, by samples and while the model is quantized; others are not."""

import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fixtures.errors import CheckpointError
from fixtures.model.artefact.tensors import Array
from fixtures.model.checkpoint import read_config, whole
from fixtures.model.whole import weights
from tests.unit.tiny_checkpoint import write_checkpoint
from tools.artefact.stored import read_all, write_all

LAYER, EMBEDDINGS, HEAD = "model.layers.1.feed_forward.w1.weight", "model.tok_embeddings.weight", "output.weight"
SHARD = "model-0000[12]-of-00002.safetensors"

Change = Callable[[Array], object]


def folder_of(folder: Path, name: str, change: Change, dtype: str = "BF16") -> Path:
    """A checkpoint with weights of 256 x 256, one tensor of which was changed, of another dtype first."""
    write_checkpoint(folder, hidden_size=256, intermediate_size=256)
    for file in folder.glob("*.safetensors"):
        if name in (held := read_all_of(file, folder)):
            values = held[name][1]
            if dtype != "BF16":
                values = (values.astype(np.float32) / 2**15).astype({"F16": np.float16, "F32": np.float32}[dtype])
            change(values)
            write_all(file, {**held, name: (dtype, values)})
    return folder


def read_all_of(file: Path, folder: Path) -> dict[str, tuple[str, Array]]:
    placed = whole(folder, seconds=0).places
    return {name: one for name, one in read_all(folder).items() if placed[name].file == file}


def put(place: tuple[int, ...], bits: int | float) -> Change:
    return lambda values: values.__setitem__(place, bits)


def zero(begin: float, end: float) -> Change:
    """Zeros from one row to another, and to a part of it."""

    def change(values: Array) -> None:
        flat, row = values.reshape(-1), values.shape[-1]
        flat[int(begin * row) : int(end * row)] = 0

    return change


WRONG = [
    (LAYER, put((3, 5), 0x7FC1), "BF16", rf"{LAYER} in {SHARD} \(1 of 65536 numbers"),
    (LAYER, put((255, 255), 0xFF80), "BF16", "1 of 65536"),
    (LAYER, put((0, 0), np.nan), "F16", "1 of 65536"),
    (LAYER, put((7, slice(0, 3)), -np.inf), "F32", "3 of 65536"),
    ("model.norm.weight", put((9,), 0x7F80), "BF16", "1 of 256"),
    (LAYER, zero(10, 50), "BF16", rf"{LAYER} in {SHARD} \(20480 bytes from byte \d+ on\)"),
    (LAYER, zero(0, 256), "F32", "262144 bytes"),
    (EMBEDDINGS, zero(3.5, 30.25), "F32", r"27\d\d\d bytes"),
    (HEAD, zero(0, 64), "BF16", "32768 bytes"),
]
FINE = [
    (LAYER, zero(10, 13), "BF16"),
    (LAYER, put((slice(None), slice(0, 100)), 0), "BF16"),
    (LAYER, put((3, 5), 0x7F7F), "BF16"),
    (LAYER, put((3, 5), 65504), "F16"),
    (EMBEDDINGS, zero(40, 64), "F32"),
    (HEAD, zero(20, 36), "F32"),
    ("model.norm.weight", zero(0, 1), "BF16"),
]


def looked_through(folder: Path) -> None:
    """Look at all of its weights."""
    with weights.looking_through(folder, read_config(folder)) as look:
        look.result().check()


@pytest.mark.parametrize(("name", "change", "dtype", "words"), WRONG)
def test_weights_of_no_trained_model_are_told(
    name: str, change: Change, dtype: str, words: str, tmp_path: Path
) -> None:
    folder = folder_of(tmp_path / "model", name, change, dtype)
    for look in (whole, looked_through):
        with pytest.raises(CheckpointError, match=words) as refused:
            look(folder)
        assert re.search(f"download.*{SHARD}", str(refused.value))


@pytest.mark.parametrize(("name", "change", "dtype"), FINE)
def test_weights_that_training_explains_are_no_fault(name: str, change: Change, dtype: str, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "model", name, change, dtype)
    assert whole(folder).looked == 1
    looked_through(folder)


def test_look_ends_where_nobody_waits_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, seen = write_checkpoint(tmp_path / "model"), threading.Event()
    monkeypatch.setattr(weights, "BLOCK", 2)
    monkeypatch.setattr(weights.Look, "__call__", lambda *_: seen.set() or time.sleep(0.01))
    began = time.monotonic()
    with weights.looking_through(folder, read_config(folder)):
        assert seen.wait(10)
    assert time.monotonic() - began < 10


def test_glance_ends_in_time_and_tells_how_far_it_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_checkpoint(tmp_path / "model", hidden_size=256, intermediate_size=256)
    ticks = iter(range(1000))
    monkeypatch.setattr(weights.time, "monotonic", lambda: float(next(ticks)))
    assert 0.1 < whole(folder, seconds=5).looked < 0.9


@pytest.mark.parametrize("count", [1, 2, 7, 64, 1000])
def test_samples_are_spread_and_none_is_taken_twice(count: int) -> None:
    order = list(weights._spread(count))
    assert sorted(order) == list(range(count))
    few = sorted(order[: max(1, count // 10)])
    assert max(np.diff([*few, count])) <= 3 * count / len(few)
