"""The files that hold a checkpoint's weights, in each layout, and their tensors; what is not whole is refused."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from fixtures.errors import CheckpointError
from fixtures.model.safetensors_header import Tensor, read_header
from fixtures.model.weight_files import INDEXES, weight_files
from tests.unit.tiny_checkpoint import write_safetensors

SHORTER = json.dumps({"a.weight": {"dtype": "BF16", "shape": [2, 4], "data_offsets": [0, 12]}}).encode()
ENTRIES: dict[str, Any] = {
    "__metadata__": {"format": "pt"},
    "a.weight": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12]},
    "b.scales": {"dtype": "F16", "shape": [2], "data_offsets": [12, 16]},
}
HEADER = json.dumps(ENTRIES).encode()
DATA = bytes(16)


def test_tensors_of_a_file_are_read(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(struct.pack("<Q", len(HEADER)) + HEADER + DATA)
    found = read_header(file)
    start = 8 + len(HEADER)
    assert found == {
        "a.weight": Tensor(dtype="BF16", shape=(2, 3), bytes=12, start=start),
        "b.scales": Tensor(dtype="F16", shape=(2,), bytes=4, start=start + 12),
    }


@pytest.mark.parametrize(
    ("content", "id_"),
    [
        (b"short", "no_safetensors"),
        (struct.pack("<Q", 3) + b"{}", "no_safetensors"),
        (struct.pack("<Q", 2**63) + HEADER + DATA, "no_safetensors"),
        (struct.pack("<Q", len(HEADER)) + HEADER + DATA[1:], "file_truncated"),
        (struct.pack("<Q", len(HEADER)) + HEADER + DATA + b"\0", "file_too_long"),
        (struct.pack("<Q", 2) + b"[]", "header_broken"),
        (struct.pack("<Q", len(SHORTER)) + SHORTER + bytes(12), "header_broken"),
    ],
    ids=["no length", "cut in the header", "an endless header", "cut in the data", "too long", "no object", "shape"],
)
def test_file_that_is_not_whole_is_refused(tmp_path: Path, content: bytes, id_: str) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError) as refused:
        read_header(tmp_path / "model.safetensors")
    assert refused.value.id == id_


@pytest.mark.parametrize("name", INDEXES)
def test_shards_are_those_of_the_index_once_each(tmp_path: Path, name: str) -> None:
    placed = {"w1": "b", "w2": "a", "w3": "b"}
    (tmp_path / name).write_text(json.dumps({"weight_map": placed}))
    (tmp_path / "a").touch()
    (tmp_path / "b").touch()
    held = weight_files(tmp_path)
    assert (held.files, held.index) == ([tmp_path / "a", tmp_path / "b"], placed)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"weight_map": 1}', '{"weight_map": {"w": 1}}'])
def test_index_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / INDEXES[0]).write_text(text)
    with pytest.raises(CheckpointError, match="is no index of shards"):
        weight_files(tmp_path)


@pytest.mark.parametrize(
    ("first", "second", "id_"),
    [
        (["layer.1"], ["layer.3"], "tensors_in_no_shard"),
        (["layer.1"], ["layer.1", "layer.2"], "tensor_in_two_files"),
        (["layer.2"], ["layer.1"], "tensors_in_another_shard"),
    ],
)
def test_shards_that_contradict_the_index_are_refused(
    first: list[str], second: list[str], id_: str, tmp_path: Path
) -> None:
    files = [tmp_path / f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    placed = {f"layer.{number}": file.name for number, file in enumerate(files, start=1)}
    (tmp_path / INDEXES[0]).write_text(json.dumps({"weight_map": placed}))
    for file, names in zip(files, (first, second), strict=True):
        write_safetensors(file, names)
    with pytest.raises(CheckpointError) as refused:
        weight_files(tmp_path).places()
    assert refused.value.id == id_
