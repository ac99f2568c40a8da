"""The whole homework in a real pytest run: its evidence is sound, and holds nothing that must not be published."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from fixtures.evidence.__main__ import OK, main
from fixtures.report.verification import verify
from tests.unit.leaks import leaks

pytestmark = pytest.mark.rehearsal

ROOT: Final = Path(__file__).parents[2]
TOKEN: Final = "token-of-the-hub-0123"
LONGEST_S: Final = 400.0
"""A minute on an idle machine: the quantization takes half of it."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The evidence of a rehearsal by a user with a token, in a folder of their own."""
    home = tmp_path_factory.mktemp("home-of-someone")
    command = [sys.executable, "-m", "pytest", "tests", "--rehearse", "--checkpoint=standin", "--calibration=local"]
    command += [f"--work-dir={home / 'work'}", f"--evidence-dir={home / 'evidence'}", "--report-pictures=off"]
    done = subprocess.run(
        [*command, "-o", f"cache_dir={home / 'cache'}"],
        cwd=ROOT, env={**os.environ, "HF_TOKEN": TOKEN}, capture_output=True, text=True, timeout=LONGEST_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (folder,) = (home / "evidence").iterdir()
    return folder


def test_the_report_follows_from_the_events(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(run)]) == OK
    assert "REHEARSAL" in capsys.readouterr().out


def test_the_key_was_required(run: Path) -> None:
    found = verify(run).run
    assert found is not None
    assert found.launched is not None
    assert found.launched.argv[-2:] == ["--api-keys", "KEY_OF_THIS_RUN"]
    figures = {event.name: event.value for event in found.measurements("server.requires_key")}
    assert figures == {"status without a key": [401, 401], "status with another key": [401, 401]}


def test_nothing_in_the_evidence_must_not_be_published(run: Path) -> None:
    assert leaks(run, [TOKEN, "home-of-someone", str(Path.home() / ".cache")]) == []
