"""The bare script runs the suite's commands and asks what it is told, or the comparison means nothing."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fixtures.homework import AWQ, MODEL_NAME, REHEARSAL_AWQ
from fixtures.lmdeploy.capabilities import NEWEST_TRIED, capabilities
from fixtures.lmdeploy.commands import Program, awq_command, serve_command
from fixtures.process.port import free_port
from fixtures.run.settings import resolve
from tests.unit.waiting import PROGRAMS
from tools.overhead.__main__ import SCRIPT

REQUESTS = [{"messages": "story"}, *({"messages": number, "tools": ["add", "mul"]} for number in range(3))]
LMDEPLOY = f"{sys.executable} -I -S {PROGRAMS / 'by_hand.py'}"


class ByHand:
    """The script with a stand-in for lmdeploy."""

    def __init__(self, folder: Path) -> None:
        self.work, self.data, self.port = folder / "work", folder / "data", free_port("127.0.0.1")
        self.data.mkdir()
        (self.data / "wikitext").mkdir()
        self._notes, self._requests = folder / "notes", folder / "requests.jsonl"
        self._requests.write_text("".join(f"{json.dumps(body)}\n" for body in REQUESTS))

    def run(self, **more: str) -> subprocess.CompletedProcess[str]:
        names = {"CHECKPOINT": "/models/internlm2_5-1_8b-chat", "WORK": str(self.work), "DATA": str(self.data)}
        names |= {"REQUESTS": str(self._requests)}
        env = {**os.environ, **names, "NOTES": str(self._notes), "LMDEPLOY": LMDEPLOY, "PORT": str(self.port), **more}
        return subprocess.run(
            ["bash", str(SCRIPT)], env=env, capture_output=True, text=True, timeout=30, check=False, cwd=self.data
        )

    def noted(self, kind: str) -> list[Any]:
        lines = self._notes.read_text().splitlines()
        return [what for found, what in map(json.loads, lines) if found == kind]


@pytest.fixture
def by_hand(tmp_path: Path) -> ByHand:
    return ByHand(tmp_path)


def options(words: list[str]) -> set[str]:
    """Flags with their values; a flag without one stands alone."""
    return set(re.findall(r"--\S+(?: (?!--)\S+)?", " ".join(words)))


@pytest.mark.parametrize("arguments", [AWQ, REHEARSAL_AWQ])
def test_commands_are_the_suites(by_hand: ByHand, tmp_path: Path, arguments: Any) -> None:
    table = capabilities(NEWEST_TRIED)
    settings = resolve(lambda _: None, lambda _: None, {}, tmp_path)
    model = by_hand.work / f"{MODEL_NAME}-w4a16-4bit"
    calibration = (
        {} if arguments is AWQ else {"SAMPLES": str(arguments.calib_samples), "SEQLEN": str(arguments.calib_seqlen)}
    )
    done = by_hand.run(**calibration)
    assert done.returncode == 0, done.stderr
    awq = awq_command(Program(("lmdeploy",)), Path("/models/internlm2_5-1_8b-chat"), model, arguments, table, {})
    assert options(by_hand.noted("lite auto_awq")[0]) == options(list(awq.argv[3:]))
    serve = serve_command(Program(("lmdeploy",)), model, MODEL_NAME, "awq", by_hand.port, settings, table)
    assert options(by_hand.noted("serve api_server")[0]) == options(list(serve.argv[3:]))
    assert by_hand.noted("data") == [["wikitext"]]
    assert by_hand.noted("stopped") == ["by SIGINT"]


def test_every_request_is_asked_once_and_each_step_told(by_hand: ByHand) -> None:
    done = by_hand.run()
    assert done.returncode == 0
    assert by_hand.noted("POST") == REQUESTS
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["began", "quantize", "load", "tests", "stop"]


def test_story_is_told_while_the_calls_are_asked(by_hand: ByHand) -> None:
    assert by_hand.run(STORY_NEEDS_CALLS="1").returncode != 0
    assert len(by_hand.noted("POST")) == 1
    done = by_hand.run(STORY_NEEDS_CALLS="1", OVERLAP="1")
    assert done.returncode == 0, done.stderr
    assert sorted(map(json.dumps, by_hand.noted("POST")[1:])) == sorted(map(json.dumps, REQUESTS))


def test_story_that_failed_meanwhile_is_no_success(by_hand: ByHand) -> None:
    done = by_hand.run(STORY_STATUS="500", OVERLAP="1")
    assert done.returncode != 0
    assert "3 of 4 requests were answered" in done.stderr


def test_second_run_only_serves_and_asks(by_hand: ByHand, tmp_path: Path) -> None:
    (tmp_path / "template").write_text("tools")
    for _ in range(2):
        assert by_hand.run(TEMPLATE=str(tmp_path / "template")).returncode == 0
    assert (len(by_hand.noted("lite auto_awq")), len(by_hand.noted("serve api_server"))) == (1, 2)
    assert by_hand.noted("POST") == REQUESTS * 2
    assert (by_hand.work / f"{MODEL_NAME}-w4a16-4bit" / "chat_template.jinja").read_text() == "tools"


@pytest.mark.parametrize("fault", [{"STATUS": "500"}, {"DIES": "1"}])
def test_failure_is_no_success_and_leaves_no_server(by_hand: ByHand, fault: dict[str, str]) -> None:
    assert by_hand.run(**fault).returncode != 0
    assert subprocess.run(["pgrep", "-f", str(by_hand.work)], capture_output=True, check=False).stdout == b""
