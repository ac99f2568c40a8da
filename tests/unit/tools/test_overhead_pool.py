"""Several sittings become one record; those that measured different things do not."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from fixtures.errors import AcceptanceError
from tools.overhead.pairs import Run, Slot
from tools.overhead.pool import main, pooled
from tools.overhead.record import figures

NOW = datetime(2026, 11, 23, tzinfo=timezone.utc)


def sitting(*seconds: tuple[str, float, float], **other: Any) -> dict[str, Any]:
    """A record of pairs: kind, the suite's seconds, the script's."""
    runs = [
        Run(
            Slot(kind, 1 + sum(before[0] == kind for before in seconds[:number]), side),
            taken,
            0,
            8,
            {"stop": 1.5},
            True,
        )
        for number, (kind, suite, script) in enumerate(seconds)
        for side, taken in (("suite", suite), ("script", script))
    ]
    head = {"command": "measure", "date": "then", "gpu": "NVIDIA H200", "driver": "580", "python": "3.12.3"}
    return {**head, "versions": {"lmdeploy": "1"}, "checkpoint": "geometry", **figures(runs), **other}


def test_pairs_are_numbered_through_and_the_medians_are_of_all() -> None:
    found = pooled(
        [
            sitting(("cold", 110, 100), ("cached", 41, 50), ("cached", 42, 50)),
            sitting(("cold", 90, 100), ("cold", 100, 100), date="later"),
        ],
        "pool",
        NOW,
    )
    assert found["ratios_cold"] == [1.1, 0.9, 1.0]
    assert (found["ratio_cold"], found["ratio_cached"]) == (1.0, 0.83)
    assert [run["pair"] for run in found["runs"] if (run["kind"], run["side"]) == ("cold", "suite")] == [1, 2, 3]
    assert {run["stages"]["stop"] for run in found["runs"]} == {1.5}
    assert (found["command"], found["date"], found["gpu"]) == ("pool", NOW.isoformat(), "NVIDIA H200")
    assert [(one["date"], one["command"], one["runs"]) for one in found["sittings"]] == [
        ("then", "measure", 6),
        ("later", "measure", 4),
    ]


@pytest.mark.parametrize(
    ("key", "value"),
    [("gpu", "NVIDIA A100"), ("python", "3.10.1"), ("versions", {"lmdeploy": "2"}), ("checkpoint", "standin")],
)
def test_sittings_of_different_things_are_not_pooled(key: str, value: Any) -> None:
    with pytest.raises(AcceptanceError, match=f"differ in {key}\n"):
        pooled([sitting(("cold", 1, 1)), sitting(("cold", 1, 1), date="later", **{key: value})], "pool", NOW)


def test_sittings_that_asked_something_else_of_a_side_are_not_pooled() -> None:
    narrow = sitting(("cold", 1, 1), command="measure --cold 1 -- --quant-policy 4")
    wide = sitting(("cold", 1, 1), command="measure --cold 2 -- --quant-policy 0", date="later")
    more = sitting(("cold", 1, 1), command="measure --cold 2 -- --quant-policy 4", date="later")
    assert len(pooled([narrow, more], "pool", NOW)["ratios_cold"]) == 2
    overlapped = sitting(("cold", 1, 1), command="measure --overlap -- --quant-policy 4", date="later")
    for other in (wide, overlapped, sitting(("cold", 1, 1))):
        with pytest.raises(AcceptanceError, match="differ in what was asked of the sides\n"):
            pooled([narrow, other], "pool", NOW)


def test_what_was_pooled_is_not_pooled_again(tmp_path: Path) -> None:
    first, both = tmp_path / "first.json", tmp_path / "both.json"
    first.write_text(json.dumps(sitting(("cold", 3, 2))))
    assert main([str(first), "--out", str(both)]) == 0
    with pytest.raises(AcceptanceError, match="several sittings already") as refused:
        main([str(both), str(first), "--out", str(tmp_path / "out.json")])
    assert refused.value.where == str(both)


def test_the_program_writes_it(tmp_path: Path) -> None:
    files, out = [tmp_path / "a.json", tmp_path / "b.json"], tmp_path / "both.json"
    for file in files:
        file.write_text(json.dumps(sitting(("cold", 3, 2), date=file.stem)))
    assert main([*map(str, files), "--out", str(out)]) == 0
    assert json.loads(out.read_text())["ratios_cold"] == [1.5, 1.5]


def test_a_sitting_counts_once() -> None:
    with pytest.raises(AcceptanceError, match="given twice"):
        pooled([sitting(("cold", 3, 2))] * 2, "pool", NOW)


@pytest.mark.parametrize("text", ["", "{}", '{"runs": []}', '{"runs": [{"kind": "cold"}]}', "[]"])
def test_another_file_is_refused_by_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / "other.json"
    file.write_text(text)
    with pytest.raises(AcceptanceError, match="no record of the suite's overhead") as refused:
        main([str(file), "--out", str(tmp_path / "out.json")])
    assert refused.value.where == str(file)
    assert not (tmp_path / "out.json").exists()
