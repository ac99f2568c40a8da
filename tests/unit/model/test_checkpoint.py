"""A checkpoint is found, whole and identified, or the error says which file is wrong and what to do."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fixtures.errors import CheckpointError
from fixtures.model.checkpoint import Checkpoint, identify, locate
from fixtures.run.settings import resolve
from fixtures.standin.checkpoint import STANDIN
from tests.unit.tiny_checkpoint import write_checkpoint

SHARD = "model-00001-of-00002.safetensors"

Look = Callable[[Path], Checkpoint]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "internlm2_5-1_8b-chat")


@pytest.fixture
def look(tmp_path: Path) -> Look:
    return lambda folder: identify(folder, "path", tmp_path / "fingerprints")


def test_whole_checkpoint_is_identified(folder: Path, look: Look) -> None:
    found = look(folder)
    assert (found.name, found.geometry, found.parameters) == ("internlm2_5-1_8b-chat", "internlm2_5-1_8b", 8)
    assert found.bytes == sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    assert len(found.fingerprint) == 64


def test_one_file_and_another_shape_are_accepted(tmp_path: Path, look: Look) -> None:
    found = look(write_checkpoint(tmp_path / "7b", shards=0, hidden_size=4096))
    assert (found.parameters, found.geometry) == (4, "other")


def test_symbolic_links_are_followed(folder: Path, look: Look, tmp_path: Path) -> None:
    link = tmp_path / "models" / "linked"
    link.parent.mkdir()
    link.symlink_to(folder)
    assert look(link).fingerprint == look(folder).fingerprint
    assert look(link).name == "linked"


def test_fingerprint_follows_content_and_names(folder: Path, look: Look) -> None:
    seen = {look(folder).fingerprint}
    data = bytearray((folder / SHARD).read_bytes())
    data[-1] ^= 1
    (folder / SHARD).write_bytes(bytes(data))
    seen.add(look(folder).fingerprint)
    (folder / "tokenizer_config.json").rename(folder / "other.json")
    seen.add(look(folder).fingerprint)
    assert len(seen) == 3


def _pointer(folder: Path) -> None:
    (folder / SHARD).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3600000000\n")


def _config(text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / "config.json").write_text(text)


def _dangling(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))
    folder.symlink_to("gone")


BROKEN: dict[str, Callable[[Path], object]] = {
    "lfs_pointer": _pointer,
    "file_truncated": lambda folder: os.truncate(folder / SHARD, (folder / SHARD).stat().st_size - 3),
    "shards_missing": lambda folder: (folder / SHARD).unlink(),
    "config_missing": lambda folder: (folder / "config.json").unlink(),
    "config_not_json": _config("{"),
    "another_architecture": _config('{"architectures": ["Qwen2ForCausalLM"]}'),
    "tokenizer_missing": lambda folder: (folder / "tokenizer.json").unlink(),
    "checkpoint_missing": lambda folder: folder.rename(folder.with_name("elsewhere")),
    "checkpoint_dangling": _dangling,
    "checkpoint_is_file": lambda folder: folder.rename(folder.with_name("elsewhere")).with_name(folder.name).touch(),
}


@pytest.mark.parametrize("id_", BROKEN)
def test_broken_checkpoint_is_refused_by_its_fault(id_: str, folder: Path, look: Look) -> None:
    look(folder)  # whole until now
    BROKEN[id_](folder)
    with pytest.raises(CheckpointError) as refused:
        look(folder)
    assert refused.value.id == id_
    assert refused.value.where
    assert "what to do: " in str(refused.value)


@pytest.mark.parametrize(
    ("asked", "folder", "origin"),
    [
        ("standin", STANDIN, "standin"),
        ("geometry", Path("/work-dir/checkpoints/internlm2_5-1_8b-chat-geometry"), "geometry"),
        ("~/models/chat", Path.home() / "models" / "chat", "path"),
        ("models/chat", Path.cwd() / "models" / "chat", "path"),
    ],
)
def test_checkpoint_is_one_of_the_suites_or_a_folder(asked: str, folder: Path, origin: str) -> None:
    values = {"checkpoint": asked, "work_dir": "/work-dir"}
    assert locate(resolve(values.get, lambda _: None, {}, Path("/suite"))) == (folder, origin)
