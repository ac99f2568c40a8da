"""Files in the way of installed packages: named where Python would really import them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.errors import LmdeployError
from fixtures.lmdeploy import shadows
from fixtures.lmdeploy.shadows import of_lmdeploy, refuse_shadows


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """openai stands for lmdeploy, which is not there; it requires pydantic, and nothing requires pluggy."""
    found = shadows._needed
    monkeypatch.setattr(shadows, "_needed", lambda _: found("openai"))


@pytest.mark.parametrize(
    ("made", "shadowing"),
    [
        ("openai/__init__.py", True),
        ("pydantic.py", True),
        ("random.py", True),
        ("openai/notes.txt", False),
        ("pluggy.py", False),
        ("model.py", False),
        ("pydantic.txt", False),
    ],
)
def test_file_is_named_where_python_would_import_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: str, shadowing: bool
) -> None:
    file = tmp_path / made
    file.parent.mkdir(exist_ok=True)
    file.write_text("made = True\n")
    name = Path(made).parts[0].removesuffix(".py")
    variables = {"PYTHONPATH": str(tmp_path)}
    assert [one.name for one in of_lmdeploy(variables, rehearse=False)] == [name] * shadowing
    if shadowing:
        script = f"import {name}; print({name}.made)"
        done = subprocess.run(
            [sys.executable, "-c", script], cwd="/", env=os.environ | variables, capture_output=True, check=False
        )
        assert done.stdout == b"True\n"
        with pytest.raises(LmdeployError, match=f"in place of the real {name}"):
            refuse_shadows(variables, rehearse=False)
    monkeypatch.chdir(tmp_path)
    assert of_lmdeploy({}, rehearse=False) == [], "a program's script does not look into the current directory"
    assert [one.name for one in of_lmdeploy({}, rehearse=True)] == [name] * shadowing


def test_folder_that_may_not_be_looked_into_shadows_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "openai").mkdir()
    (tmp_path / "openai" / "__init__.py").touch()
    monkeypatch.setattr(os, "access", lambda folder, _: folder != tmp_path / "openai")  # root may look into all
    assert of_lmdeploy({"PYTHONPATH": str(tmp_path)}, rehearse=False) == []


def test_suites_own_packages_shadow_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shadows.ROOT)
    assert of_lmdeploy({}, rehearse=True) == []
    assert shadows.of_this_process() == []


def test_file_before_pythons_own_is_named_for_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "jiter.py").touch()
    (tmp_path / "os.py").touch()
    monkeypatch.delitem(sys.modules, "jiter", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    assert [one.name for one in shadows.of_this_process()] == ["jiter"], "os has been imported already"
