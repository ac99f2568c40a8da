"""The record of what more workers save: like is compared with like, and a failure is no time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest

from fixtures.errors import AcceptanceError
from fixtures.evidence.events import Entry, EnvironmentRecorded
from fixtures.judge.verdict import Happened
from tools.workers_record import Timed, measure

WHEN = datetime(2026, 11, 22, tzinfo=timezone.utc)
MACHINE = Happened(
    (Entry(0.0, "", EnvironmentRecorded({"lmdeploy": "0.18.0"}, "3.12", "", "NVIDIA X1", 1, "580", "")),)
)
GOOD = Timed(0, 210.0, 0, 56, 8, ["a", "b"], quantized=False)


def record(*runs: Timed, repeats: int = 1) -> dict[str, Any]:
    left = list(runs)

    def run(workers: int) -> tuple[Timed, Happened]:
        return replace(left.pop(0), workers=workers), MACHINE

    made = measure(run, 2, repeats, WHEN, "command")
    assert not left
    return made


def test_the_ratio_of_whole_runs() -> None:
    made = record(GOOD, replace(GOOD, seconds=110.0))
    assert made["ratio"] == 1.909
    assert [run["workers"] for run in made["runs"]] == [0, 2]
    assert (made["gpu"], made["versions"]) == ("NVIDIA X1", {"lmdeploy": "0.18.0"})


def test_medians_of_several() -> None:
    made = record(*(replace(GOOD, seconds=s) for s in (200.0, 100.0, 220.0, 120.0)), repeats=2)
    assert (made["seconds_one"], made["seconds_many"]) == (210.0, 110.0)


def test_a_run_that_had_to_quantize_is_run_again() -> None:
    made = record(replace(GOOD, seconds=400.0, quantized=True), GOOD, replace(GOOD, seconds=105.0))
    assert made["ratio"] == 2.0


@pytest.mark.parametrize("other", [{"exit_status": 1}, {"tests": 55}, {"rungs": ["a"]}])
def test_runs_that_differ_are_not_compared(other: dict[str, Any]) -> None:
    with pytest.raises(AcceptanceError, match="nothing can be compared"):
        record(GOOD, replace(GOOD, **other))


def test_runs_in_which_the_same_claim_fails_are_compared() -> None:
    failed = replace(GOOD, exit_status=1)
    made = record(failed, replace(failed, seconds=105.0))
    assert made["ratio"] == 2.0
    assert [run["exit_status"] for run in made["runs"]] == [1, 1]


def test_runs_that_broke_off_are_not_compared() -> None:
    broken = replace(GOOD, exit_status=2)
    with pytest.raises(AcceptanceError, match="nothing can be compared"):
        record(broken, broken)
