"""Which files hold a checkpoint's weights: both formats, whole and in shards; what is missing is named."""

import json
from pathlib import Path

import pytest

from fixtures.errors import CheckpointError
from fixtures.model.weight_files import INDEXES, WHOLE_MODEL_FILES, weight_files


@pytest.mark.parametrize("name", WHOLE_MODEL_FILES)
def test_one_file_has_no_index(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    held = weight_files(tmp_path)
    assert (held.files, held.index) == ([tmp_path / name], None)


@pytest.mark.parametrize("name", INDEXES)
def test_shards_are_the_indexs_each_once(tmp_path: Path, name: str) -> None:
    placed = {"w1": "b", "w2": "a", "w3": "b"}
    (tmp_path / name).write_text(json.dumps({"weight_map": placed}))
    (tmp_path / "a").touch()
    with pytest.raises(CheckpointError, match="1 of 2 shards are missing: b"):
        weight_files(tmp_path)
    (tmp_path / "b").touch()
    held = weight_files(tmp_path)
    assert (held.files, held.index) == ([tmp_path / "a", tmp_path / "b"], placed)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"weight_map": 1}', '{"weight_map": {"w": 1}}'])
def test_an_index_that_is_none_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / INDEXES[0]).write_text(text)
    with pytest.raises(CheckpointError, match="no index of shards"):
        weight_files(tmp_path)


def test_no_weights(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="has no weights"):
        weight_files(tmp_path)
