"""Pairs alternate, a failed run is in no ratio, and the record holds what every run took."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from fixtures.session.environment import record as environment_of
from tools.overhead.pairs import KINDS, SIDES, Run, Slot, median_ratio, ratios, schedule
from tools.overhead.record import file_name, record


def run(kind: str, pair: int, side: str, seconds: float, exit_code: int = 0) -> Run:
    return Run(Slot(kind, pair, side), seconds, exit_code, 8, {}, whole=exit_code == 0)


RUNS = [
    run("cold", 1, "script", 60.0),
    run("cold", 1, "suite", 61.2),
    run("cached", 1, "script", 25.0),
    run("cached", 1, "suite", 25.25),
    run("cached", 2, "suite", 28.0),
    run("cached", 2, "script", 28.0),
    run("cached", 3, "script", 20.0),
    run("cached", 3, "suite", 20.6),
]


def test_every_pair_has_both_sides_and_neither_is_always_first() -> None:
    slots = schedule(cold=2, cached=3)
    assert len(slots) == len(set(slots)) == 10
    assert [slot.kind for slot in slots] == ["cold"] * 4 + ["cached"] * 6
    firsts = [slots[number].side for number in range(0, 10, 2)]
    assert firsts == ["script", "suite", "script", "suite", "script"]
    assert all({slots[n].side, slots[n + 1].side} == set(SIDES) for n in range(0, 10, 2))


def test_the_ratio_is_the_median_of_the_pairs() -> None:
    assert ratios(RUNS, "cached") == pytest.approx([1.01, 1.0, 1.03])
    assert [median_ratio(RUNS, kind) for kind in KINDS] == pytest.approx([1.02, 1.01])


def test_a_failed_run_is_in_no_ratio() -> None:
    failed = [*RUNS[:3], run("cached", 1, "suite", 1.0, exit_code=1), *RUNS[4:]]
    assert ratios(failed, "cached") == pytest.approx([1.0, 1.03])
    assert median_ratio(RUNS[:1], "cold") is None


def test_the_record_holds_every_run_and_both_medians() -> None:
    made = record(RUNS, "standin", environment_of(None), "python -m tools.overhead", datetime.now(timezone.utc))
    assert (made["ratio_cold"], made["ratio_cached"]) == (1.02, 1.01)
    assert [one["seconds"] for one in made["runs"]] == [one.seconds for one in RUNS]
    assert made["runs"][0] == {
        **{"kind": "cold", "pair": 1, "side": "script"},
        **{"seconds": 60.0, "exit_code": 0, "whole": True, "requests": 8},
    }


def test_the_file_is_named_after_the_gpu() -> None:
    assert file_name("NVIDIA H100 80GB HBM3") == "overhead-h100-80gb-hbm3.json"
    assert file_name("") == "overhead-cpu.json"
