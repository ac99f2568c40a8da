"""docs/standin.md says what the records say."""

import json
from pathlib import Path

import pytest

from fixtures.standin.problemset import TASKS
from fixtures.standin.tables import DOCUMENT, RECORDS, TABLES, accuracy, control, rendered, trials
from fixtures.standin.tables import TASKS as WORDED

ROOT = Path(__file__).parents[3]


def test_the_committed_tables_follow_from_the_committed_records() -> None:
    text = (ROOT / DOCUMENT).read_text(encoding="utf-8")
    assert rendered(text, ROOT / RECORDS) == text, "run `python -m fixtures.standin.tables`"
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
