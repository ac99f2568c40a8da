"""The files that hold a checkpoint's weights: both formats, whole and in shards; what is missing is named."""

import json
from pathlib import Path

import pytest

from fixtures.errors import CheckpointError
from fixtures.model.weight_files import INDEXES, WHOLE_MODEL_FILES, weight_files
from tests.unit.tiny_checkpoint import write_checkpoint, write_safetensors


@pytest.mark.parametrize("name", WHOLE_MODEL_FILES)
def test_one_file_has_no_index(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    held = weight_files(tmp_path)
    assert (held.files, held.index) == ([tmp_path / name], None)


@pytest.mark.parametrize("name", INDEXES)
def test_shards_are_those_of_the_index_once_each(tmp_path: Path, name: str) -> None:
    placed = {"w1": "b", "w2": "a", "w3": "b"}
    (tmp_path / name).write_text(json.dumps({"weight_map": placed}))
    (tmp_path / "a").touch()
    with pytest.raises(CheckpointError, match="1 of 2 shards are missing: b"):
        weight_files(tmp_path)
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
    folder = write_checkpoint(tmp_path / "model")
    for file, names in zip(sorted(folder.glob("*.safetensors")), (first, second), strict=True):
        write_safetensors(file, names)
    with pytest.raises(CheckpointError) as refused:
        weight_files(folder).places()
    assert refused.value.id == id_
