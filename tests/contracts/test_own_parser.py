"""lmdeploy's parser is asked, not guessed: here a small one under its name, with a flag renamed and without."""

import os
from pathlib import Path

import pytest

from tests.contracts.own_parser import parse

PARSER = """
import argparse
class CLI:
    parser = argparse.ArgumentParser(prog="lmdeploy")
    commands = parser.add_subparsers(dest="command")
    @staticmethod
    def add_parsers():
        pass
"""
SERVE = """
from lmdeploy.cli.cli import CLI
class SubCliServe:
    @staticmethod
    def add_parsers():
        serve = CLI.commands.add_parser("serve")
        serve.add_argument("model_path")
        serve.add_argument("{flag}", type=int, default=0)
        serve.set_defaults(run=print)
"""
LITE = """
class SubCliLite:
    @staticmethod
    def add_parsers():
        pass
"""
LINE = ["serve", "model", "--quant-policy", "4"]


def environment(folder: Path, flag: str = "--quant-policy") -> dict[str, str]:
    """An environment whose lmdeploy is a package of three files."""
    package = folder / "lmdeploy" / "cli"
    package.mkdir(parents=True)
    for file, text in {"cli": PARSER, "serve": SERVE.format(flag=flag), "lite": LITE, "__init__": ""}.items():
        (package / f"{file}.py").write_text(text)
    (package.parent / "__init__.py").touch()
    return {**os.environ, "PYTHONPATH": str(folder)}


def test_accepted_line_gives_its_values(tmp_path: Path) -> None:
    (found,) = parse([LINE], environment(tmp_path))
    assert found.values == {"command": "serve", "model_path": "model", "quant_policy": 4}
    found.check(quant_policy=4)
    with pytest.raises(AssertionError, match="is understood otherwise: quant_policy is 4, not 8"):
        found.check(quant_policy=8)


def test_renamed_flag_is_refused_in_the_parsers_words_and_hides_no_other_line(tmp_path: Path) -> None:
    refused, taken = parse([LINE, []], environment(tmp_path, "--kv-bits"))
    assert (refused.accepted, taken.accepted) == (False, True)
    with pytest.raises(AssertionError, match="is refused: lmdeploy: error: unrecognized arguments: --quant-policy 4"):
        refused.check()


def test_another_layout_is_told_in_pythons_words(tmp_path: Path) -> None:
    (tmp_path / "lmdeploy").mkdir()
    (tmp_path / "lmdeploy" / "__init__.py").touch()
    with pytest.raises(RuntimeError, match=r"No module named 'lmdeploy\.cli'"):
        parse([LINE], {**os.environ, "PYTHONPATH": str(tmp_path)})
