"""A side's run: what counts as whole, and the script asks what the suite asked before it."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fixtures.errors import AcceptanceError
from fixtures.evidence import Evidence
from fixtures.evidence.events import Exchanged
from fixtures.homework import AWQ
from fixtures.lmdeploy.commands import Program
from tools.overhead import running
from tools.overhead.__main__ import main
from tools.overhead.pairs import Slot
from tools.overhead.running import REQUESTS, Ground, run, script_environment, script_stages

BODIES = [{"model": "m", "messages": [{"role": "user", "content": f"第 {number} 次"}]} for number in range(9)]


@pytest.fixture
def ground(tmp_path: Path, request: pytest.FixtureRequest) -> Ground:
    origin = getattr(request, "param", "standin")
    checkpoint = tmp_path / "made" / "checkpoint"
    checkpoint.mkdir(parents=True)
    return Ground(tmp_path, checkpoint, origin, origin, tmp_path, AWQ, Program(("lmdeploy",)), False, ())


def suite_that(monkeypatch: pytest.MonkeyPatch, ground: Ground, asked: list[dict[str, Any]], exit_code: int) -> None:
    """In place of the suite a program that ends so; its evidence says that this was asked, and one more was refused."""
    folder = ground.folder / "suite" / "evidence" / "run"

    def command(_: Ground) -> list[str]:
        evidence = Evidence(folder)
        for body, status in [*((body, 200) for body in asked), ({"model": "m"}, 400)]:
            evidence.append(Exchanged("t", "/v1/chat/completions", body, status, {}, 0.1))
        evidence.close()
        return [sys.executable, "-I", "-S", "-c", f"raise SystemExit({exit_code})"]

    monkeypatch.setattr(running, "suite_command", command)


def test_the_script_asks_what_the_suite_asked(monkeypatch: pytest.MonkeyPatch, ground: Ground) -> None:
    assert script_environment(ground, 1)["REQUESTS"] == str(REQUESTS)
    suite_that(monkeypatch, ground, BODIES, 0)
    made = run(ground, Slot("cold", 1, "suite"))
    assert (made.whole, made.requests) == (True, len(BODIES))
    asked = Path(script_environment(ground, 1)["REQUESTS"])
    assert [json.loads(line) for line in asked.read_bytes().splitlines()] == BODIES


def test_the_script_overlaps_where_the_comparison_is_to(ground: Ground) -> None:
    assert "OVERLAP" not in script_environment(ground, 1)
    assert script_environment(replace(ground, overlap=True), 1)["OVERLAP"] == "1"


@pytest.mark.parametrize(
    ("ground", "exit_code", "whole"),
    [
        ("standin", 0, True),
        ("standin", 1, False),
        ("geometry", 1, True),
        ("geometry", 0, False),
        ("geometry", 2, False),
    ],
    indirect=["ground"],
)
def test_random_weights_are_refused_by_a_whole_run(
    monkeypatch: pytest.MonkeyPatch, ground: Ground, exit_code: int, whole: bool
) -> None:
    suite_that(monkeypatch, ground, BODIES, exit_code)
    assert run(ground, Slot("cached", 1, "suite")).whole is whole


def test_a_run_that_asked_less_than_the_homework_is_not_whole(monkeypatch: pytest.MonkeyPatch, ground: Ground) -> None:
    suite_that(monkeypatch, ground, BODIES[:3], 0)
    assert not run(ground, Slot("cached", 1, "suite")).whole


@pytest.mark.parametrize("ground", ["geometry"], indirect=True)
def test_random_weights_are_written_once(monkeypatch: pytest.MonkeyPatch, ground: Ground) -> None:
    suite_that(monkeypatch, ground, BODIES, 1)
    for pair in (1, 2):
        run(ground, Slot("cold", pair, "suite"))
        assert (ground.folder / "suite" / "checkpoints" / "checkpoint").samefile(ground.checkpoint)
    assert ground.checkpoint.exists()


@pytest.mark.parametrize("point", [".", ","])
def test_the_scripts_steps_are_told_apart(point: str) -> None:
    said = (
        f"began 100{point}0\nquantize 100{point}1\nanything\nload 109{point}1\ntests 109{point}35\nstop 111{point}25\n"
    )
    assert script_stages(said) == {"quantize": 0.1, "load": 9.0, "tests": 0.25, "stop": 1.9}
    assert script_stages("killed before it could say anything\n") == {}


def test_a_cached_pair_without_a_cold_one_serves_what_the_suite_made(
    monkeypatch: pytest.MonkeyPatch, ground: Ground, tmp_path: Path
) -> None:
    made = tmp_path / "suite" / "quantized" / "0f" / "internlm2_5-1_8b-chat-w4a16-4bit"
    made.mkdir(parents=True)
    script = tmp_path / "served.sh"
    script.write_text('readlink -f "$WORK/internlm2_5-1_8b-chat-w4a16-4bit" >"$WORK/served"\n')
    monkeypatch.setattr(running, "SCRIPT", script)
    assert run(ground, Slot("cached", 1, "script")).whole
    assert (tmp_path / "script" / "served").read_text() == f"{made}\n"


def test_without_a_cold_pair_there_is_a_warm_up(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--rehearse", "--no-warm-up", "--cold", "0"])
    assert "needs a cold pair" in capsys.readouterr().err


def test_without_anything_to_serve_it_says_so(ground: Ground) -> None:
    with pytest.raises(AcceptanceError, match="left no W4A16 checkpoint to serve"):
        run(ground, Slot("cached", 1, "script"))
