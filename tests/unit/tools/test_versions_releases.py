"""New releases are told from old ones, with what `--help` changed."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.waiting import ROOT
from tools.versions import releases
from tools.versions.releases import help_text, newer, told


def test_fix_of_an_older_line_is_not_news() -> None:
    assert newer(["0.9.3", "0.18.0", "0.18.1", "0.19.0"], than="0.18.0") == ["0.18.1", "0.19.0"]
    assert newer(["0.18.0"], than="0.18.0") == []


def test_news_name_every_release_and_the_lines_that_changed() -> None:
    text = told(["0.18.1", "0.19.0"], "0.18.0", "usage\n  --tp TP  Default: 1\n", "usage\n  --tp TP  Default: 2\n")
    assert text.startswith("lmdeploy 0.18.1, 0.19.0 appeared; the newest tried is 0.18.0.\n")
    assert "-  --tp TP  Default: 1\n+  --tp TP  Default: 2\n```" in text
    assert "is the same" in told(["0.18.1"], "0.18.0", "usage\n", "usage\n")


def test_releases_are_read_from_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = "lmdeploy (0.10.2)\nAvailable versions: 0.10.2, 0.9.2.post1, 0.9.2\n  INSTALLED: 0.9.2\n"
    monkeypatch.setattr(releases, "_run", lambda _: answer)
    assert releases.published() == ["0.9.2", "0.9.2.post1", "0.10.2"]
    monkeypatch.setattr(releases, "_run", lambda _: "lmdeploy\n")
    with pytest.raises(SystemExit, match="names no release"):
        releases.published()


def test_help_of_every_command_is_taken_in_one_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "lmdeploy"
    package.mkdir()
    package.joinpath("__init__.py").touch()
    program = (
        "import argparse, sys\ndef run():\n argparse.ArgumentParser(sys.argv[0], usage=str(sys.argv)).parse_args()\n"
    )
    package.joinpath("cli.py").write_text(program, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    text = help_text(Path(sys.executable))
    assert [line for line in text.splitlines() if line.startswith("$")] == [
        "$ lmdeploy --help",
        "$ lmdeploy lite auto_awq --help",
        "$ lmdeploy serve api_server --help",
    ]
    assert "usage: ['lmdeploy', 'serve', 'api_server', '--help']" in text
    package.joinpath("__init__.py").write_text("raise ImportError('libcudart.so')", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"libcudart\.so"):
        help_text(Path(sys.executable))


def test_program_starts_with_uv_alone() -> None:
    """As in the environments `locks` and `releases` of tox."""
    program = "import sys; sys.modules['pynvml'] = None; from tools.versions.__main__ import main; main(['-h'])"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, "releases" in done.stdout) == (0, True), done.stderr
