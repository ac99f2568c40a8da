"""A virtual environment whose `lmdeploy` is the stand-in, and which otherwise has what the outer one has.

The suite finds lmdeploy beside its Python and asks the installed distributions for their versions: here both are true
in the way they are after `pip install lmdeploy`, without torch and without minutes.
"""

from __future__ import annotations

import shutil
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]

VERSIONS: Final = {"lmdeploy": "0.18.0", "torch": "2.11.0", "transformers": "4.57.6"}
"""What the stand-in stands for: the versions on which its protocol was recorded."""

HIDDEN: Final = ("lmdeploy", "torch", "transformers", "datasets", "__pycache__", "_virtualenv")
"""What the outer environment may have and the inner one must not see."""

PROGRAM: Final = """#!{python}
from tests.faults.lmdeploy.__main__ import main

main()
"""


def copied(folder: Path) -> Path:
    """Copy the suite, without its docs, to a folder that is not there yet."""
    for part in ("fixtures", "tests", "tools"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("conftest.py", "pytest.ini"):
        shutil.copyfile(ROOT / file, folder / file)
    return folder


@dataclass(frozen=True)
class Environment:
    """A virtual environment in `folder`; `root` is the suite that its Python imports."""

    folder: Path
    root: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def program(self) -> Path:
        """Its `lmdeploy`."""
        return self.folder / "bin" / "lmdeploy"

    @property
    def packages(self) -> Path:
        """Its site-packages."""
        return Path(sysconfig.get_path("purelib", vars={"base": str(self.folder)}))

    def distribution(self, name: str) -> Path:
        """The metadata of a distribution that is said to be installed."""
        return self.packages / f"{name}-{VERSIONS[name]}.dist-info"

    def set_version(self, name: str, version: str) -> None:
        """Say that another version is installed."""
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        (self.distribution(name) / "METADATA").write_text(metadata)

    def set_program(self) -> None:
        """Install the stand-in."""
        self.program.write_text(PROGRAM.format(python=self.python), encoding="utf-8")
        self.program.chmod(0o755)

    def copy(self, folder: Path) -> Environment:
        """One of its own, for a fault that breaks it."""
        shutil.copytree(self.folder, folder, symlinks=True)
        other = Environment(folder, self.root)
        other.set_program()
        return other


def create(folder: Path, root: Path = ROOT) -> Environment:
    """A new environment."""
    made = Environment(folder, root)
    venv.EnvBuilder(with_pip=False, symlinks=True).create(folder)
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not entry.name.startswith(HIDDEN):
            (made.packages / entry.name).symlink_to(entry)
    for module in (root / "tests" / "faults" / "lmdeploy" / "packages").glob("*.py"):
        (made.packages / module.name).symlink_to(module)
    (made.packages / "suite.pth").write_text(f"{root}\n", encoding="utf-8")
    for name, version in VERSIONS.items():
        made.distribution(name).mkdir()
        made.set_version(name, version)
    made.set_program()
    return made
