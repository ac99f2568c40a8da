"""A fingerprint is that of what the files hold, however many threads hash it."""

import hashlib
import time
from pathlib import Path

import pytest

from fixtures.model import fingerprint as module
from fixtures.model.fingerprint import fingerprint


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of two parts and a bit, each read in several blocks."""
    monkeypatch.setattr(module, "PART", 1000)
    monkeypatch.setattr(module, "BLOCK", 300)
    file = tmp_path / "model.safetensors"
    file.write_bytes(bytes(number % 251 for number in range(2100)))
    return file


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


@pytest.mark.parametrize("size", [0, 1000, 2100])
def test_long_file_is_hashed_in_parts(file: Path, tmp_path: Path, size: int) -> None:
    data = file.read_bytes()[:size]
    file.write_bytes(data)
    digest = sha256(data) if size <= 1000 else sha256(b"".join(sha256(data[at : at + 1000]) for at in (0, 1000, 2000)))
    whole = sha256(f"{file.name}\0{digest.hex()}\n".encode()).hex()
    assert fingerprint([file], tmp_path / "cache") == whole


def test_digest_is_remembered(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint([file], tmp_path / "cache")
    monkeypatch.setattr(module, "_part", lambda *_: pytest.fail("hashed again"))
    assert fingerprint([file], tmp_path / "cache") == before


@pytest.mark.parametrize("content", [b"", b"0" * 63, b"\0" * 64, b"\xff" * 64])
def test_note_that_lost_its_content_is_not_believed(file: Path, tmp_path: Path, content: bytes) -> None:
    before = fingerprint([file], tmp_path / "cache")
    (note,) = (tmp_path / "cache").iterdir()
    note.write_bytes(content)
    assert fingerprint([file], tmp_path / "cache") == before
    assert len(note.read_bytes()) == 64


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError])
def test_interruption_does_not_wait_for_the_rest(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: type[BaseException]
) -> None:
    file.write_bytes(bytes(1000 * 1000))  # many more parts than threads
    read: list[int] = []

    def part(_: Path, start: int) -> bytes:
        if start == 0:
            raise stop
        time.sleep(0.005)
        read.append(start)
        return b""

    monkeypatch.setattr(module, "_part", part)
    with pytest.raises(stop):
        fingerprint([file], tmp_path / "cache")
    assert len(read) < 500
    assert not (tmp_path / "cache").exists()
