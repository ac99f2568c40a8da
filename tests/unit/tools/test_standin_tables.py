"""docs/standin.md says what the records say."""

import json
from pathlib import Path
from typing import Any

import pytest

from tools.standin.problemset import TASKS
from tools.standin.tables import (
    DOCUMENT,
    RECORDS,
    TABLES,
    VERSIONED,
    accuracy,
    control,
    rendered,
    trials,
    versions,
)
from tools.standin.tables import TASKS as WORDED

ROOT = Path(__file__).parents[3]


def test_the_committed_tables_follow_from_the_committed_records() -> None:
    text = (ROOT / DOCUMENT).read_text(encoding="utf-8")
    assert rendered(text, ROOT / RECORDS) == text, "run `python -m tools.standin.tables`"
    assert all(f"<!-- {name}: from {file} -->" in text for name, (file, _) in TABLES.items())


def test_every_task_has_its_row() -> None:
    assert set(WORDED) == set(TASKS)


ORIGIN = {"command": "pytest", "gpu": {"name": "H100"}, "versions": {"lmdeploy": "0.18.0"}, "date": "2026-11-22T18:00"}
ROW = {"claim": "tools.add", "temperature": 0.8, "k": 199, "n": 200, "lower": 0.9722, "upper": 0.9991}
COMPARED = {"claim": "control.add", "n": 200, "unquantized": 200, "quantized": 198, "cost": 0.01}


def test_a_row_says_what_its_record_says(tmp_path: Path) -> None:
    record = {**ORIGIN, "claims": [ROW], "control": [{**COMPARED, "lower": -0.01, "upper": 0.036, "mcnemar_p": 0.5}]}
    assert trials(record).endswith("| `tools.add` | 0.8 | 199 of 200 | 97.2 to 99.9 % |")
    assert control(record).endswith("| `control.add` | 200 of 200 | 198 of 200 | 1.0 [-1.0, 3.6] | 0.5 |")
    (tmp_path / "trials-standin-h100-80gb-hbm3.json").write_text(json.dumps(record), encoding="utf-8")
    text = "by hand\n<!-- trials: from x -->\nold\n<!-- end -->\nby hand\n"
    made = rendered(text, tmp_path)
    assert "old" not in made
    assert made.count("by hand") == 2
    assert rendered(made, tmp_path) == made


def test_a_task_without_its_figures_is_an_error() -> None:
    with pytest.raises(KeyError):
        accuracy({**ORIGIN, "rows": []})


def by_version(version: str, rendering: str, date: str, **claims: int) -> dict[str, Any]:
    """A row of the record by versions; every claim 80 of 80 but those given."""
    return {
        "lmdeploy": version,
        "rendering": rendering,
        "command": f"pytest --evidence-dir reports/rehearsed-{version}",
        "date": f"{date}T04:00:00+00:00",
        "hardware": {"platform": "Linux x86_64", "gpu": None},
        "claims": [
            {**ROW, "claim": claim, "k": claims.get(claim.partition(".")[2], 80), "n": 80}
            for claim in reversed(VERSIONED)
        ],
    }


def test_versions_are_told_with_the_rendering_that_their_servers_used() -> None:
    rows = [
        by_version("0.9.2.post1", "builtin", "2026-11-22", chain_trials=79),
        by_version("0.10.2", "modern", "2026-11-23"),
    ]
    origin, _, table = versions({"rows": rows}).partition("\n\n")
    assert origin == (
        "`pytest --evidence-dir reports/rehearsed-VERSION`\nwithout a GPU, Linux x86_64, 2026-11-22 to 2026-11-23:"
    )
    head, _, old, new = table.splitlines()
    assert head.startswith("| lmdeploy | prompt rendering | story, T=0.8 | a+b, T=0.8 |")
    assert old.startswith("| 0.9.2.post1 | built into lmdeploy | 80 of 80 (97.2 to 99.9 %) |")
    assert [cell.strip().partition(" (")[0] for cell in old.split("|")[3:-1]] == ["80 of 80"] * 3 + [
        "79 of 80",
        "80 of 80",
    ]
    assert new.startswith("| 0.10.2 | the tokenizer's template | ")


def test_versions_of_one_day_and_a_version_without_a_claim() -> None:
    row = by_version("0.18.0", "modern", "2026-11-23")
    assert ", 2026-11-23:\n" in versions({"rows": [row]})
    row["claims"].pop()
    with pytest.raises(KeyError, match="story_trials"):
        versions({"rows": [row]})
