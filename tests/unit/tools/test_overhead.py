"""Pairs alternate, only whole runs count, and the script asks what the suite asked before it."""

import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fixtures.evidence import Evidence
from fixtures.evidence.events import Exchanged, ServerLaunched
from fixtures.gpu.sampler import Sampler
from tools.overhead import __main__ as program
from tools.overhead.__main__ import SIDES, Ground, Run, figures, run, schedule

BODIES = [{"model": "m", "messages": [{"role": "user", "content": f"第 {number} 次"}]} for number in range(9)]


def made(kind: str, pair: int, side: str, seconds: float, whole: bool = True, own: float = 0.5) -> Run:
    return Run(kind, pair, side, seconds, int(not whole), 8, whole, {"import": own} if side == "suite" else None)


RUNS = [
    made("cold", 1, "script", 60.0),
    made("cold", 1, "suite", 61.2),
    made("cached", 1, "script", 25.0),
    made("cached", 1, "suite", 25.25),
    made("cached", 2, "suite", 28.0),
    made("cached", 2, "script", 28.0),
    made("cached", 3, "script", 20.0),
    made("cached", 3, "suite", 20.6),
]


def test_every_pair_has_both_sides_and_neither_is_always_first() -> None:
    slots = schedule(cold=2, cached=3)
    assert len(slots) == len(set(slots)) == 10
    assert [kind for kind, _, _ in slots] == ["cold"] * 4 + ["cached"] * 6
    assert [slots[number][2] for number in range(0, 10, 2)] == ["script", "suite", "script", "suite", "script"]
    assert all({slots[n][2], slots[n + 1][2]} == set(SIDES) for n in range(0, 10, 2))


def test_ratio_is_the_median_of_whole_pairs() -> None:
    found = figures(RUNS)
    assert found["ratios_cached"] == [1.01, 1.0, 1.03]
    assert (found["ratio_cold"], found["ratio_cached"]) == (1.02, 1.01)
    found = figures([*RUNS[:3], made("cached", 1, "suite", 1.0, whole=False), *RUNS[4:]])
    assert found["ratios_cached"] == [1.0, 1.03]
    assert figures(RUNS[:1])["ratio_cold"] is None


def test_own_seconds_are_those_of_the_whole_run_that_took_most() -> None:
    failed = made("cached", 2, "suite", 25.0, whole=False, own=9.0)
    found = figures([*RUNS[:3], made("cached", 1, "suite", 25.0, own=0.7), failed])
    assert (found["own_cold"], found["own_cached"]) == (0.5, 0.7)
    assert figures(RUNS[:1])["own_cold"] is None


def test_own_seconds_are_what_is_left_of_the_process_without_the_waiting(tmp_path: Path) -> None:
    ground = ground_of(tmp_path, BODIES)
    found = run(ground, "cached", 1, "suite")
    assert found.own_seconds == found.seconds  # nothing was launched
    evidence = Evidence(tmp_path / "suite" / "evidence" / "later")
    evidence.append(ServerLaunched(["lmdeploy"], "http://127.0.0.1:23333"))
    time.sleep(0.1)
    evidence.append(Exchanged("t", "/v1/chat/completions", BODIES[0], 200, {}, 0.1))
    evidence.close()
    later = run(ground, "cached", 1, "suite")
    assert later.own is not None
    assert later.own.keys() == {"import", "prepare", "ready", "report"}
    assert later.seconds - later.own_seconds >= 0.1


def ground_of(folder: Path, asked: list[dict[str, Any]], exit_code: int = 0, expected: int = 0) -> Ground:
    """In place of the suite a program that ends so; its evidence says that this was asked, and one more was refused."""
    evidence = Evidence(folder / "suite" / "evidence" / "run")
    for body, status in [*((body, 200) for body in asked), ({"model": "m"}, 400)]:
        evidence.append(Exchanged("t", "/v1/chat/completions", body, status, {}, 0.1))
    evidence.close()
    return Ground(folder, (sys.executable, "-I", "-S", "-c", f"raise SystemExit({exit_code})"), expected, {})


@pytest.mark.parametrize(
    ("asked", "exit_code", "expected", "whole"),
    [
        (BODIES, 0, 0, True),
        (BODIES, 1, 0, False),
        (BODIES, 1, 1, True),  # random weights, which are refused
        (BODIES, 0, 1, False),
        (BODIES[:3], 0, 0, False),
    ],
)
def test_run_is_whole_when_it_asked_and_ended_as_it_should(
    asked: list[dict[str, Any]], exit_code: int, expected: int, whole: bool, tmp_path: Path
) -> None:
    ground = ground_of(tmp_path, asked, exit_code, expected)
    found = run(ground, "cached", 1, "suite")
    assert (found.whole, found.requests) == (whole, len(asked))
    assert [json.loads(line) for line in ground.asked.read_bytes().splitlines()] == asked


def test_cold_run_begins_with_nothing_but_the_random_weights(tmp_path: Path) -> None:
    for name in ("checkpoints", "quantized", "fingerprints"):
        (tmp_path / "suite" / name).mkdir(parents=True)
    run(ground_of(tmp_path, BODIES), "cold", 1, "suite")
    assert [found.name for found in (tmp_path / "suite").iterdir() if found.is_dir()] == ["checkpoints"]


def test_cached_script_serves_what_the_suite_made_and_asks_what_it_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    quantized = tmp_path / "suite" / "quantized" / "0f" / "internlm2_5-1_8b-chat-w4a16-4bit"
    quantized.mkdir(parents=True)
    script = tmp_path / "served.sh"
    script.write_text(
        'readlink -f "$WORK/internlm2_5-1_8b-chat-w4a16-4bit" >"$WORK/told"; echo "$REQUESTS" >>"$WORK/told"'
    )
    monkeypatch.setattr(program, "SCRIPT", script)
    ground = replace(ground_of(tmp_path, BODIES), script={"WORK": str(tmp_path / "script")})
    ground.asked.write_text("{}\n{}\n")
    for pair in (1, 2):
        found = run(ground, "cached", pair, "script")
        assert (found.whole, found.requests) == (True, 2)
        assert (tmp_path / "script" / "told").read_text() == f"{quantized}\n{ground.asked}\n"


def test_sampler_takes_less_than_a_hundredth_of_a_core(tmp_path: Path) -> None:
    still: Any = SimpleNamespace(interval_s=0.1, used_mib=lambda: 1000.0)
    evidence = Evidence(tmp_path)
    with Sampler(still, evidence) as sampler:
        cpu = time.process_time()
        time.sleep(1.0)
        assert time.process_time() - cpu < 0.01
        assert len(sampler.samples()) > 5
    evidence.close()
