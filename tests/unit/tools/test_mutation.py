"""Mutants are counted as they came out, and none is left out."""

import json
from datetime import datetime, timezone
from pathlib import Path

import pytest

from tools import mutation
from tools.mutation import Score, read, record, score, table

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=timezone.utc)


def test_noticed_is_what_makes_a_test_fail_or_hang() -> None:
    codes = {"failed": 1, "error": 3, "timeout": 36, "crash": -11, "passed": 0, "no test": 33, "none collected": 5}
    assert score("m.py", codes) == Score("m.py", 7, 4, ("passed", "no test", "none collected"))


@pytest.mark.parametrize("code", [None, 2, 34])
def test_what_was_not_tried_is_an_error(code: int | None) -> None:
    with pytest.raises(ValueError, match=r"1 mutants of m\.py have not been tried, the first is b"):
        score("m.py", {"a": 1, "b": code})


def write(results: Path, module: str, codes: dict[str, int]) -> None:
    file = results / f"{module}.meta"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"exit_code_by_key": codes}))


def test_the_record_and_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutation.importlib.metadata, "version", lambda name: f"{name} 1")
    write(tmp_path, "fixtures/good.py", {"a": 1, "b": 1})
    write(tmp_path, "fixtures/evidence/bad.py", {"c": 1, "d": 0, "e": 1, "f": 1})
    write(tmp_path, "fixtures/none.py", {})
    made = record(read(tmp_path), NOW)
    assert (made["mutants"], made["noticed"]) == (6, 5)
    assert made["modules"][0] == {
        "module": "fixtures/evidence/bad.py", "mutants": 4, "noticed": 3, "survivors": ("d",), "score": 0.75,
    }  # fmt: skip
    text = table(made)
    assert "| fixtures/evidence/bad.py | 4 | 3 | 1 | 75.0 % |\n| fixtures/good.py | 2 | 2 | 0 | 100.0 % |\n" in text
    assert "| all | 6 | 5 | 1 | 83.3 % |" in text


def test_no_results_are_no_score(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no results"):
        read(tmp_path)


@pytest.mark.skipif(not mutation.RECORD.exists(), reason="not recorded yet")
def test_the_document_says_what_the_record_says() -> None:
    assert mutation.TABLE.read_text(encoding="utf-8") == table(json.loads(mutation.RECORD.read_text(encoding="utf-8")))
