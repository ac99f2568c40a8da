"""New releases are told from old ones, and what `--help` changed is told option by option."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fixtures.errors import LmdeployError
from fixtures.lmdeploy.versions import HELP, tried
from tools.versions import releases
from tools.versions.releases import News, compared, entries, help_text, newer, told

BEFORE = """$ lmdeploy --help
usage: lmdeploy [-h] [-v] {lite,serve,convert} ...

positional arguments:
  {lite,serve,convert}  commands
    lite                Compressing
    convert             Convert weights

options:
  -h, --help            show this help message and exit

$ lmdeploy serve api_server --help
usage: lmdeploy serve api_server [-h] [--tp TP]
                                 model_path

positional arguments:
  model_path            The path of a model

options:
  -h, --help            show this help message and exit
  --tp TP               GPU number. Default: 1. Type:
                        int
"""

AFTER = """$ lmdeploy --help
usage: lmdeploy [-h] [-v] {lite,serve} ...

positional arguments:
  {lite,serve}          commands
    lite                Compressing

options:
  -h, --help            show this help message and exit

$ lmdeploy serve api_server --help
usage: lmdeploy serve api_server [-h] [--tp TP] [--tool-call-parser NAME]
                                 model_path

positional arguments:
  model_path            The path of a model

options:
  -h, --help            show this help
                        message and exit
  --tp TP               GPU number. Default: 2. Type: int
  --tool-call-parser NAME
                        The parser

TurboMind engine arguments:
  --tp TP               GPU number. Default:
                        2. Type: int
"""


def test_options_are_read_with_what_is_said_of_them() -> None:
    found = entries(BEFORE)["lmdeploy serve api_server --help"]
    assert found["--tp"] == "--tp TP GPU number. Default: 1. Type: int"
    assert found["model_path"] == "model_path The path of a model"


def test_new_gone_and_changed_options_are_told_and_other_line_breaks_are_not() -> None:
    program, server = compared(BEFORE, AFTER)
    assert program.gone == ["{lite,serve,convert} commands", "convert Convert weights"]
    assert server.added == ["--tool-call-parser NAME The parser"]
    assert server.gone == []
    assert server.changed == [
        ("--tp TP GPU number. Default: 1. Type: int", "--tp TP GPU number. Default: 2. Type: int")
    ]


def test_an_option_that_two_engines_list_is_told_once_where_they_agree() -> None:
    listed = "$ lmdeploy --help\n\nA:\n  --tp TP  `one`\nB:\n  --tp TP  two\nC:\n  --tp TP  `one`\n"
    assert entries(listed) == {"lmdeploy --help": {"--tp": "--tp TP `one` / --tp TP two"}}
    change = compared("$ lmdeploy --help\n", listed)
    assert "- new: `--tp TP 'one' / --tp TP two`" in told([News("2.0", "1.0", change)])


def test_equal_help_is_no_change() -> None:
    assert compared(BEFORE, BEFORE) == []


def test_a_fix_of_an_older_line_is_not_news() -> None:
    assert newer(["0.9.3", "0.18.0", "0.18.1", "0.19.0"], than="0.18.0") == ["0.18.1", "0.19.0"]
    assert newer(["0.18.0"], than="0.18.0") == []


def test_the_news_name_every_release_and_what_the_last_one_changed() -> None:
    changes = compared(BEFORE, AFTER)
    text = told([News("0.18.1", "0.18.0", ()), News("0.19.0", "0.18.0", changes)])
    assert text.startswith("lmdeploy 0.18.1, 0.19.0 appeared; the newest tried is 0.18.0.")
    assert "- new: `--tool-call-parser NAME The parser`" in text
    assert "- gone: `convert Convert weights`" in text
    assert "  now: `--tp TP GPU number. Default: 2. Type: int`" in text


def test_the_releases_are_read_from_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = "lmdeploy (0.10.2)\nAvailable versions: 0.10.2, 0.9.2.post1, 0.9.2\n  INSTALLED: 0.9.2\n"
    monkeypatch.setattr(releases, "_run", lambda *_: answer)
    assert releases.published() == ["0.9.2", "0.9.2.post1", "0.10.2"]


def test_an_answer_without_releases_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(releases, "_run", lambda *_: "lmdeploy\n")
    with pytest.raises(LmdeployError, match="pip names no lmdeploy release"):
        releases.published()


def test_the_help_of_every_command_is_taken_in_one_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "lmdeploy"
    package.mkdir()
    package.joinpath("__init__.py").touch()
    program = (
        "import argparse, sys\ndef run():\n argparse.ArgumentParser(sys.argv[0], usage=str(sys.argv)).parse_args()\n"
    )
    package.joinpath("cli.py").write_text(program, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    text = help_text(Path(sys.executable))
    assert list(entries(text)) == [
        "lmdeploy --help",
        "lmdeploy lite auto_awq --help",
        "lmdeploy serve api_server --help",
    ]
    assert "usage: ['lmdeploy', 'serve', 'api_server', '--help']" in text


def test_an_lmdeploy_that_does_not_start_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "lmdeploy"
    package.mkdir()
    package.joinpath("__init__.py").write_text("raise ImportError('libcudart.so')", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(LmdeployError, match="libcudart"):
        help_text(Path(sys.executable))


@pytest.mark.parametrize("version", tried())
def test_the_help_of_every_version_tried_is_kept(version: str) -> None:
    found = entries(HELP.joinpath(f"{version}.txt").read_text(encoding="utf-8"))
    assert "--quant-policy" in found["lmdeploy serve api_server --help"]
    assert "--w-group-size" in found["lmdeploy lite auto_awq --help"]
