"""The bare script runs the suite's commands and asks what the suite asks, or the comparison means nothing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from fixtures.ask.conversation import converse
from fixtures.ask.story import MAX_TOKENS
from fixtures.client.answer import Answer
from fixtures.homework import (
    ADD_PROMPT,
    AWQ,
    CHAIN_PROMPT,
    MODEL_NAME,
    MULTIPLY_PROMPT,
    REHEARSAL_AWQ,
    SAMPLING,
    STORY_PROMPT,
    SYSTEM_PROMPT,
)
from fixtures.lmdeploy.capabilities import NEWEST_TRIED, capabilities
from fixtures.lmdeploy.commands import Program, awq_command, serve_command
from fixtures.process.port import free_port
from fixtures.run.settings import resolve
from tests.unit.answers import Scripted, answer, tool_call
from tests.unit.waiting import PROGRAMS
from tools.overhead.__main__ import REQUESTS, SCRIPT

LMDEPLOY = f"{sys.executable} -I -S {PROGRAMS / 'by_hand.py'}"


class ByHand:
    """The script with a stand-in for lmdeploy."""

    def __init__(self, folder: Path) -> None:
        self.work, self.data, self.port = folder / "work", folder / "data", free_port("127.0.0.1")
        self.data.mkdir()
        (self.data / "wikitext").mkdir()
        self._notes = folder / "notes"

    def run(self, **more: str) -> subprocess.CompletedProcess[str]:
        names = {"CHECKPOINT": "/models/internlm2_5-1_8b-chat", "WORK": str(self.work), "DATA": str(self.data)}
        env = {**os.environ, **names, "NOTES": str(self._notes), "LMDEPLOY": LMDEPLOY, "PORT": str(self.port), **more}
        return subprocess.run(
            ["bash", str(SCRIPT)], env=env, capture_output=True, text=True, timeout=30, check=False, cwd=self.data
        )

    def noted(self, kind: str) -> list[Any]:
        lines = self._notes.read_text().splitlines()
        return [what for found, what in map(json.loads, lines) if found == kind]


def requests() -> list[Any]:
    """The bodies that the script asks where it is told of no others."""
    return [json.loads(line) for line in REQUESTS.read_text(encoding="utf-8").splitlines()]


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
    assert by_hand.noted("POST") == requests()
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["began", "quantize", "load", "tests", "stop"]


def test_story_is_told_while_the_calls_are_asked(by_hand: ByHand) -> None:
    assert by_hand.run(STORY_NEEDS_CALLS="1").returncode != 0
    assert len(by_hand.noted("POST")) == 1
    done = by_hand.run(STORY_NEEDS_CALLS="1", OVERLAP="1")
    assert done.returncode == 0, done.stderr
    assert sorted(map(json.dumps, by_hand.noted("POST")[1:])) == sorted(map(json.dumps, requests()))


def test_story_that_failed_meanwhile_is_no_success(by_hand: ByHand) -> None:
    done = by_hand.run(STORY_STATUS="500", OVERLAP="1")
    assert done.returncode != 0
    assert "7 of 8 requests were answered" in done.stderr


def test_second_run_only_serves_and_asks_what_it_is_told(by_hand: ByHand, tmp_path: Path) -> None:
    (tmp_path / "others").write_text('{"model": "m"}\n{"model": "n"}\n')
    (tmp_path / "template").write_text("tools")
    for _ in range(2):
        told = {"REQUESTS": str(tmp_path / "others"), "TEMPLATE": str(tmp_path / "template")}
        assert by_hand.run(**told).returncode == 0
    assert (len(by_hand.noted("lite auto_awq")), len(by_hand.noted("serve api_server"))) == (1, 2)
    assert by_hand.noted("POST") == [{"model": "m"}, {"model": "n"}] * 2
    assert (by_hand.work / f"{MODEL_NAME}-w4a16-4bit" / "chat_template.jinja").read_text() == "tools"


@pytest.mark.parametrize("fault", [{"STATUS": "500"}, {"DIES": "1"}])
def test_failure_is_no_success_and_leaves_no_server(by_hand: ByHand, fault: dict[str, str]) -> None:
    assert by_hand.run(**fault).returncode != 0
    assert subprocess.run(["pgrep", "-f", str(by_hand.work)], capture_output=True, check=False).stdout == b""


def call(number: int, name: str, a: int, b: int) -> Answer:
    return answer(calls=[tool_call(name, a, b, f"call-{number}")])


def test_requests_are_those_of_a_suite_whose_first_tries_are_right() -> None:
    story = [{"role": "system", "content": SYSTEM_PROMPT}, {"role": "user", "content": STORY_PROMPT}]
    asked = [{"model": MODEL_NAME, "messages": story, "max_tokens": MAX_TOKENS, **asdict(SAMPLING)}]
    last = answer("16")
    for prompt, answers in (
        (ADD_PROMPT, [call(1, "add", 3, 5), last]),
        (MULTIPLY_PROMPT, [call(1, "mul", 8, 2), last]),
        (CHAIN_PROMPT, [call(1, "add", 3, 5), call(2, "mul", 8, 2), last]),
    ):
        client: Any = Scripted(*answers)
        converse(client, prompt, SAMPLING, "tool")
        asked += [{"model": MODEL_NAME, **one} for one in client.asked]
    assert requests() == asked
