"""A packed environment installs without an index, whole or not at all."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tools import offline


def wheel(folder: Path, name: str, needs: str = "") -> None:
    """The smallest distribution that pip takes."""
    about = f"{name}-1.0.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n" + (f"Requires-Dist: {needs}\n" if needs else "")
    files = {
        f"{name}.py": "",
        f"{about}/METADATA": metadata,
        f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{file},,\n" for file in (*files, f"{about}/RECORD"))
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as archive:
        for file, text in {**files, f"{about}/RECORD": record}.items():
            archive.writestr(file, text)


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lock of two distributions, of which one needs the other, and the only index that has them."""
    index = tmp_path / "index"
    index.mkdir()
    wheel(index, "served", "engine")
    wheel(index, "engine")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    file = tmp_path / "lmdeploy-1.0.txt"
    file.write_text("served==1.0\nengine==1.0 ; python_version >= '3'\nold==1.0 ; python_version < '3'\n", "utf-8")
    return file


def install(lock: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """The printed command, in this environment and for a folder of its own."""
    words = offline.commands(lock, folder, sys.executable)[1].split()
    there = {**os.environ, "PIP_FIND_LINKS": ""}
    return subprocess.run(
        [sys.executable, *words[1:], "--target", "installed"],
        cwd=folder.parent, env=there, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_packed_environment_installs_without_the_index_unless_a_wheel_was_changed(lock: Path, tmp_path: Path) -> None:
    folder = tmp_path / "wheels"
    offline.fetch(lock, folder, sys.executable)
    found = offline.write_list(lock, folder, sys.executable)
    assert sorted(one.name for one in found) == ["engine-1.0-py3-none-any.whl", "served-1.0-py3-none-any.whl"]
    done = install(lock, folder)
    assert done.returncode == 0, done.stderr
    assert {"served.py", "engine.py"} <= {one.name for one in (tmp_path / "installed").iterdir()}
    wheel(folder, "engine", "served")
    done = install(lock, folder)
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr


def test_what_a_lock_forgot_is_named_while_packing(lock: Path, tmp_path: Path) -> None:
    lock.write_text("served==1.0\n", encoding="utf-8")
    offline.fetch(lock, tmp_path / "wheels", sys.executable)
    with pytest.raises(SystemExit, match="engine"):
        offline.write_list(lock, tmp_path / "wheels", sys.executable)
