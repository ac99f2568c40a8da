"""A command that the suite suggests can be typed as it stands."""

import sys
from pathlib import Path

import pytest

from fixtures.process.programs import called


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment of tox's in the current folder, whose Python runs this test."""
    programs = tmp_path / ".tox" / "lmdeploy" / "bin"
    programs.mkdir(parents=True)
    for name in ("pip", "python"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", str(programs / "python"))
    monkeypatch.delenv("TOX_ENV_DIR", raising=False)
    return programs


def test_in_an_activated_environment_the_name_is_enough(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{place}:/usr/bin")
    assert called("pip") == "pip"


@pytest.mark.usefixtures("place")
def test_elsewhere_it_is_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin")
    assert called("pip") == ".tox/lmdeploy/bin/pip"


def test_what_tox_activated_is_not_activated_for_the_reader(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{place}:/usr/bin")
    monkeypatch.setenv("TOX_ENV_DIR", str(place.parent))
    assert called("python") == ".tox/lmdeploy/bin/python"


def test_an_environment_elsewhere_is_named_in_full(
    place: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin")
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert called("pip") == str(place / "pip")
