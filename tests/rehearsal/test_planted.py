"""Two regressions planted into copies: the contract must turn the right cells red, with the right words."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from fixtures.lmdeploy.capabilities import installed_version
from fixtures.report.matrix import Matrix, collect
from fixtures.report.matrix_page import matrix_page
from fixtures.texts import Texts
from tests.faults.environment import copied

TIMEOUT = 280.0
"""Seconds: a quantization, a server and two dozen questions on a busy processor."""

RENAMED = """
import argparse, sys

add = argparse._ActionsContainer.add_argument

def renamed(self, *names, **how):
    if "lmdeploy.cli" in sys.modules:
        names = [name.replace("--quant-policy", "--kv-cache-bits") for name in names]
    return add(self, *names, **how)

argparse._ActionsContainer.add_argument = renamed
"""
"""A `sitecustomize` by which `--quant-policy` has another name in lmdeploy's own parser."""


def contract_of(root: Path, folder: Path, *arguments: str) -> Matrix:
    """The matrix after a contract run of the suite in `root`, whose modules come first."""
    command = [sys.executable, "-m", "pytest", "-m", "contract", "-q", "-o", f"cache_dir={folder / 'cache'}"]
    finished = subprocess.run(
        [*command, "--contract-dir", str(folder / f"contract-{installed_version()}"), *arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "HF_HOME": str(folder / "hub")},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert finished.returncode == 1, finished.stdout[-3000:] + finished.stderr[-1000:]
    return collect(folder)


def cells(matrix: Matrix) -> dict[str, Any]:
    """The installed version's cells by claim."""
    (column,) = (one for one in matrix.columns if one.version == installed_version())
    return {claim: column.cell(claim) for claim in matrix.parts["contract"]}


def states(found: dict[str, Any], state: str) -> set[str]:
    return {claim for claim, cell in found.items() if cell.state == state}


def test_renamed_flag_turns_the_servers_command_line_red(tmp_path: Path) -> None:
    """Refused, in the parser's words."""
    suite = copied(tmp_path / "suite")
    (suite / "sitecustomize.py").write_text(RENAMED, encoding="utf-8")
    matrix = contract_of(suite, tmp_path / "reports", "tests/contracts/test_command_lines.py")
    found = cells(matrix)
    assert states(found, "failed") == {"cli.api_server"}
    words = "unrecognized arguments: --quant-policy 4"
    assert words in found["cli.api_server"].cause
    assert words in matrix_page(matrix, Texts("zh"))
    assert {"cli.auto_awq", "cli.chat", "cli.flags"} <= states(found, "passed")


def test_template_without_tools_turns_what_needs_them_red(tmp_path: Path) -> None:
    suite = copied(tmp_path / "suite")
    hide_tools(suite / "fixtures" / "standin")
    chosen = "tools_reach_the_prompt or call_is_parsed or story_is_told or health_answers"
    matrix = contract_of(suite, tmp_path / "reports", "tests/contracts/test_server.py", "-k", chosen)
    found = cells(matrix)
    assert states(found, "failed") == {"server.tools_in_prompt", "server.call"}
    assert states(found, "passed") == {"server.chat", "server.health"}
    assert found["server.tools_in_prompt"].cause["id"] == "fault.tools_not_shown"
    assert "the chat template does not show the tools to the model" in matrix_page(matrix, Texts("en"))


def hide_tools(folder: Path) -> None:
    """A template that takes the tools and shows none, in the suite and in its stand-in."""
    template = (folder / "chat_template.jinja").read_text(encoding="utf-8")
    blind = "{% set tools = none %}" + template
    (folder / "chat_template.jinja").write_text(blind, encoding="utf-8")
    config_file = folder / "internlm2_5-standin-chat" / "tokenizer_config.json"
    config = json.loads(config_file.read_text(encoding="utf-8"))
    config["chat_template"] = blind
    config_file.write_text(json.dumps(config, ensure_ascii=False), encoding="utf-8")
