"""A file's header says what is in it and where, and a file that is shorter, longer or another format is refused."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from fixtures.errors import CheckpointError
from fixtures.model.safetensors_header import Tensor, read_header

ENTRIES: dict[str, Any] = {
    "__metadata__": {"format": "pt"},
    "a.weight": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12]},
    "b.scales": {"dtype": "F16", "shape": [2], "data_offsets": [12, 16]},
}
HEADER = json.dumps(ENTRIES).encode()
DATA = bytes(16)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


def test_tensors_of_a_file_are_read(file: Path) -> None:
    file.write_bytes(struct.pack("<Q", len(HEADER)) + HEADER + DATA)
    found = read_header(file)
    start = 8 + len(HEADER)
    assert found == {
        "a.weight": Tensor(dtype="BF16", shape=(2, 3), bytes=12, start=start),
        "b.scales": Tensor(dtype="F16", shape=(2,), bytes=4, start=start + 12),
    }
    assert found["a.weight"].elements == 6


@pytest.mark.parametrize(
    ("content", "id_"),
    [
        (b"", "no_safetensors"),
        (b"short", "no_safetensors"),
        (struct.pack("<Q", 3) + b"{}", "no_safetensors"),
        (struct.pack("<Q", 2**63) + HEADER + DATA, "no_safetensors"),
        (struct.pack("<Q", len(HEADER)) + HEADER + DATA[1:], "file_truncated"),
        (struct.pack("<Q", len(HEADER)) + HEADER + DATA + b"\0", "file_too_long"),
        (struct.pack("<Q", 2) + b"[]", "header_broken"),
    ],
    ids=["empty", "no length", "cut in the header", "an endless header", "cut in the data", "too long", "no object"],
)
def test_file_that_is_not_whole_is_refused(file: Path, content: bytes, id_: str) -> None:
    file.write_bytes(content)
    with pytest.raises(CheckpointError) as refused:
        read_header(file)
    assert refused.value.id == id_
