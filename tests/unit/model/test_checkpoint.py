"""A checkpoint is found, whole and identified, or the message says which file is wrong and what to do."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from fixtures.errors import CheckpointError
from fixtures.model.checkpoint import STANDIN, Checkpoint, identify, locate
from fixtures.run.settings import resolve
from tests.unit.tiny_checkpoint import write_checkpoint, write_safetensors

SHARD = "model-00001-of-00002.safetensors"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "internlm2_5-1_8b-chat")


@pytest.fixture
def look(tmp_path: Path) -> Callable[[Path], Checkpoint]:
    return lambda folder: identify(folder, "path", tmp_path / "fingerprints")


def test_a_whole_checkpoint_is_identified(folder: Path, look: Callable[[Path], Checkpoint]) -> None:
    found = look(folder)
    assert (found.name, found.geometry, found.parameters) == ("internlm2_5-1_8b-chat", "internlm2_5-1_8b", 8)
    assert found.bytes == sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    assert len(found.fingerprint) == 64


def test_a_single_file_will_do(tmp_path: Path, look: Callable[[Path], Checkpoint]) -> None:
    assert look(write_checkpoint(tmp_path / "single", shards=0)).parameters == 4


def test_another_shape_is_not_taken_for_the_1_8b(tmp_path: Path, look: Callable[[Path], Checkpoint]) -> None:
    assert look(write_checkpoint(tmp_path / "7b", hidden_size=4096)).geometry == "other"


def test_symbolic_links_are_followed(folder: Path, look: Callable[[Path], Checkpoint], tmp_path: Path) -> None:
    link = tmp_path / "models" / "linked"
    link.parent.mkdir()
    link.symlink_to(folder)
    assert look(link).fingerprint == look(folder).fingerprint
    assert look(link).name == "linked"


def test_the_fingerprint_follows_the_content(folder: Path, look: Callable[[Path], Checkpoint]) -> None:
    before = look(folder).fingerprint
    data = bytearray((folder / SHARD).read_bytes())
    data[-1] ^= 1
    (folder / SHARD).write_bytes(bytes(data))
    assert look(folder).fingerprint != before


def test_the_fingerprint_follows_the_names(folder: Path, look: Callable[[Path], Checkpoint]) -> None:
    before = look(folder).fingerprint
    (folder / "tokenizer_config.json").rename(folder / "other.json")
    assert look(folder).fingerprint != before


def _pointer(folder: Path) -> None:
    (folder / SHARD).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3600000000\n")


def _truncated(folder: Path) -> None:
    data = (folder / SHARD).read_bytes()
    (folder / SHARD).write_bytes(data[:-3])


def _cut_in_the_header(folder: Path) -> None:
    (folder / SHARD).write_bytes((folder / SHARD).read_bytes()[:20])


def _garbage_header(folder: Path) -> None:
    (folder / SHARD).write_bytes(b"\x05\0\0\0\0\0\0\0hello world")


def _too_long(folder: Path) -> None:
    with (folder / SHARD).open("ab") as stream:
        stream.write(b"more")


def _other_download(folder: Path) -> None:
    write_safetensors(folder / SHARD, ["layer.of.another.model"])


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "lfs pointer": (_pointer, "Git-LFS pointer"),
    "truncated": (_truncated, f"{SHARD} is truncated"),
    "cut in the header": (_cut_in_the_header, "truncated or no safetensors file"),
    "garbage header": (_garbage_header, "broken header"),
    "too long": (_too_long, "too long"),
    "other download": (_other_download, "1 tensors of the index are in no shard"),
    "missing shard": (lambda folder: (folder / SHARD).unlink(), f"1 of 2 shards are missing: {SHARD}"),
    "no index": (lambda folder: (folder / "model.safetensors.index.json").unlink(), "has no weights"),
    "broken index": (lambda folder: (folder / "model.safetensors.index.json").write_text("{}"), "no index of shards"),
    "no config": (lambda folder: (folder / "config.json").unlink(), "there is no config.json"),
    "broken config": (lambda folder: (folder / "config.json").write_text("{"), "config.json is not JSON"),
    "no tokenizer": (lambda folder: (folder / "tokenizer.json").unlink(), "no tokenizer"),
    "other model": (
        lambda folder: (folder / "config.json").write_text(json.dumps({"architectures": ["Qwen2ForCausalLM"]})),
        "the model is Qwen2ForCausalLM",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_checkpoint_is_refused_by_its_fault(
    name: str, folder: Path, look: Callable[[Path], Checkpoint]
) -> None:
    look(folder)  # whole until now
    breaks, words = BROKEN[name]
    breaks(folder)
    with pytest.raises(CheckpointError) as refused:
        look(folder)
    assert words in refused.value.what
    assert refused.value.where
    assert refused.value.remedy


def test_nothing_there(tmp_path: Path, look: Callable[[Path], Checkpoint]) -> None:
    with pytest.raises(CheckpointError, match="does not exist") as refused:
        look(tmp_path / "nowhere")
    assert "--checkpoint standin" in refused.value.remedy


def test_a_link_to_nothing(tmp_path: Path, look: Callable[[Path], Checkpoint]) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "share" / "gone")
    with pytest.raises(CheckpointError, match="symbolic link to nothing") as refused:
        look(tmp_path / "link")
    assert "share/gone" in refused.value.where


def test_a_file_is_no_checkpoint(tmp_path: Path, look: Callable[[Path], Checkpoint]) -> None:
    (tmp_path / "model.safetensors").write_text("x")
    with pytest.raises(CheckpointError, match="is a file"):
        look(tmp_path / "model.safetensors")


@pytest.mark.parametrize(
    ("asked", "folder", "origin"),
    [
        ("standin", STANDIN, "standin"),
        ("geometry", Path("/work-dir/checkpoints/internlm2_5-1_8b-chat-geometry"), "geometry"),
        ("~/models/chat", Path.home() / "models" / "chat", "path"),
        ("models/chat", Path.cwd() / "models" / "chat", "path"),
    ],
)
def test_a_checkpoint_is_one_of_the_suites_or_a_folder(asked: str, folder: Path, origin: str) -> None:
    values = {"checkpoint": asked, "work_dir": "/work-dir"}
    assert locate(resolve(values.get, lambda _: None, {}, Path("/suite"))) == (folder, origin)
