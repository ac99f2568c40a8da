"""A checkpoint is found, whole and identified, or the error says which file is wrong and what to do."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fixtures.errors import CheckpointError
from fixtures.lmdeploy.families import Architecture
from fixtures.model.checkpoint import Checkpoint, identify, locate, whole
from fixtures.run.settings import resolve
from fixtures.standin.checkpoint import STANDIN
from tests.unit.tiny_checkpoint import sentencepiece, write_checkpoint

SHARD = "model-00001-of-00002.safetensors"

Look = Callable[[Path], Checkpoint]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "internlm2_5-1_8b-chat")


@pytest.fixture
def look(tmp_path: Path) -> Look:
    return lambda folder: identify(folder, "path", tmp_path / "fingerprints")


def test_whole_checkpoint_is_identified_through_a_link(folder: Path, look: Look, tmp_path: Path) -> None:
    found = look(folder)
    parameters = Architecture.of(found.config).parameters()
    assert (found.name, found.geometry, found.parameters) == ("internlm2_5-1_8b-chat", "other", parameters)
    assert found.bytes == sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    link = tmp_path / "linked"
    link.symlink_to(folder)
    assert (look(link).name, look(link).fingerprint) == ("linked", found.fingerprint)


def test_a_launch_does_not_wait_for_numpy(folder: Path, look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)  # as if not installed
    assert look(folder).fingerprint


def test_one_file_and_another_shape_are_accepted(tmp_path: Path, look: Look) -> None:
    found = look(write_checkpoint(tmp_path / "7b", shards=0, hidden_size=128))
    assert (found.parameters, found.geometry) == (Architecture.of(found.config).parameters(), "other")
    assert look(STANDIN).geometry == "other", "named as a path"


def test_fingerprint_follows_content_and_names(folder: Path, look: Look) -> None:
    seen = {look(folder).fingerprint}
    data = bytearray((folder / SHARD).read_bytes())
    data[-2] ^= 1
    (folder / SHARD).write_bytes(bytes(data))
    seen.add(look(folder).fingerprint)
    (folder / "model-00001-of-00002.safetensors").with_name("README.md").touch()
    seen.add(look(folder).fingerprint)
    assert len(seen) == 3


@pytest.mark.parametrize(
    ("damage", "id_"),
    [
        (lambda file: os.truncate(file, file.stat().st_size - 3), "file_truncated"),
        (Path.unlink, "shards_missing"),
        (lambda file: file.with_name("tokenizer.json").unlink(), "tokenizer_missing"),
    ],
)
def test_broken_checkpoint_is_refused_by_its_fault(
    damage: Callable[[Path], object], id_: str, folder: Path, look: Look
) -> None:
    damage(folder / SHARD)
    with pytest.raises(CheckpointError) as refused:
        look(folder)
    assert refused.value.id == id_


@pytest.mark.parametrize("missing", [True, False])
def test_tokenizer_model_needs_its_packages(folder: Path, missing: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fixtures.model.checkpoint._is_missing", lambda _: missing)
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer.model").write_bytes(sentencepiece("one", "two"))
    if not missing:
        assert whole(folder).tensors
        return
    with pytest.raises(CheckpointError, match=r"sentencepiece.*google\.protobuf"):
        whole(folder)


@pytest.mark.parametrize(
    ("asked", "folder", "origin"),
    [
        ("standin", STANDIN, "standin"),
        ("geometry", Path("/work-dir/checkpoints/internlm2_5-1_8b-chat-geometry"), "geometry"),
        ("~/models/chat", Path.home() / "models" / "chat", "path"),
    ],
)
def test_checkpoint_is_one_of_the_suites_or_a_folder(asked: str, folder: Path, origin: str) -> None:
    values = {"checkpoint": asked, "work_dir": "/work-dir"}
    assert locate(resolve(values.get, lambda _: None, {}, Path("/suite"))) == (folder, origin)
