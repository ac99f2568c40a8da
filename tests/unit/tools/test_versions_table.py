"""docs/environments.md says what the record of installs, contracts and GPU runs says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fixtures.lmdeploy.capabilities import TRIED
from fixtures.lmdeploy.versions import RECORD, ROOT
from tools.versions.table import BEGIN, DOCUMENT, END, gpu_runs, installs, rendered

REPORTS = ROOT / "docs" / "reports"
INSTALLED = {
    "python": "3.10.13",
    "distributions": 114,
    "install_exit": 0,
    "install_seconds": 206.5,
    "install_processor_seconds": 134.4,
    "install_mib": 5536,
    "tests": {
        "exit": 1,
        "passed": 23,
        "total": 26,
        "claims": {"a": {"state": "not_offered"}, "b": {"state": "failed"}, "c": {"state": "not_offered"}},
    },
}


def record(**changes: Any) -> dict[str, Any]:
    return {"versions": {"0.5.3": {"environments": {"contract-0.5.3 python3.10": {**INSTALLED, **changes}}}}}


def test_the_committed_tables_follow_from_the_committed_record() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    found = json.loads(RECORD.read_text(encoding="utf-8"))
    assert rendered(text, found) == text, "run `python -m tools.versions table`"
    assert BEGIN in text


def test_every_version_is_recorded_with_its_gpu_run_or_the_reason_for_none() -> None:
    versions = json.loads(RECORD.read_text(encoding="utf-8"))["versions"]
    assert tuple(versions) == TRIED
    assert all(found["gpu"]["run"] or found["gpu"]["why"] for found in versions.values())


def test_every_contract_that_is_kept_was_held_by_the_suite_as_it_was_committed() -> None:
    kept = [json.loads(file.read_text(encoding="utf-8")) for file in REPORTS.glob("contract-*/contract.json")]
    assert {(one["outcome"], one["dirty"]) for one in kept} == {("passed", False)}
    assert {one["lmdeploy"] for one in kept} <= set(TRIED)


def test_a_row_says_what_an_install_took_and_what_became_of_its_tests() -> None:
    assert installs(record()).splitlines()[-1] == (
        "| `contract-0.5.3` | 3.10.13 | 114 | 5.4 GiB | 206 s, 134 s of processor | "
        "23 of 26 held, 2 not offered, 1 failed |"
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"install_exit": 1}, "not installed: exit 1"),
        ({"tests": None}, "not run"),
        ({"tests": {"exit": 2}}, "no result: exit 2"),
    ],
)
def test_what_is_missing_is_said(changes: dict[str, Any], words: str) -> None:
    assert words in installs(record(**changes))


def test_a_gpu_run_is_told_with_its_card_and_a_missing_one_with_its_reason() -> None:
    ran = {
        "run": True,
        "outcome": "accepted_with_standin",
        "passed": 15,
        "total": 15,
        "gpu": "H100",
        "date": "2026-11-22T18",
        "python": "3.12.3",
        "versions": {"torch": "2.11.0"},
    }
    found = {"0.18.0": {"gpu": ran}, "0.5.3": {"gpu": {"run": False, "why": "no code for Hopper"}}, "0.6.5": {}}
    assert gpu_runs({"versions": found}).splitlines()[2:] == [
        "| 0.18.0 | accepted with standin, 15 of 15 claims; H100, torch 2.11.0, Python 3.12.3, 2026-11-22 |",
        "| 0.5.3 | not run: no code for Hopper |",
        "| 0.6.5 | not run |",
    ]


def test_what_is_written_by_hand_stays() -> None:
    made = rendered(f"by hand\n{BEGIN}\nold\n{END}\nby hand\n", record())
    assert "old" not in made
    assert made.count("by hand") == 2
    assert rendered(made, record()) == made
