"""Generated parts of docs/ are those of their records, and what is written by hand stays."""

import json
from pathlib import Path
from typing import Any

import pytest

from fixtures.lmdeploy.versions import locked
from tests.acceptance.bfcl.record import records
from tests.acceptance.bfcl.unit.test_bfcl import compared, entries
from tools import pages
from tools.records import RECORDS, read
from tools.tables import Place, bfcl, ladder, performance, quality, versions

ENGLISH = Place("en", "name")
PAGE = "by hand\n<!-- made by tools.tables.standin.trials from records/trials.json -->\nold\n<!-- end -->\nby hand\n"
ROW = {"claim": "tools.add", "temperature": 0.8, "k": 199, "n": 200, "lower": 0.9722, "upper": 0.9991}
RUN = {"command": "pytest", "versions": {"lmdeploy": "0.18.0"}, "date": "2026-11-22", "claims": [ROW]}
TRIALS = {"gpu": "H100", "rows": {"0.18.0": RUN}}


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "trials.json").write_text(json.dumps(TRIALS), encoding="utf-8")
    (tmp_path / "page.md").write_text(PAGE, encoding="utf-8")
    return tmp_path


def test_committed_pages_follow_from_committed_records(capsys: pytest.CaptureFixture[str]) -> None:
    assert pages.main(["--check"]) == 0, f"run `python -m tools.pages`: {capsys.readouterr().out}"


def test_part_between_the_comments_is_rewritten(docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--docs", str(docs)]
    assert pages.main([*given, "--check"]) == 1
    assert "old" in (docs / "page.md").read_text(encoding="utf-8"), "a check changes nothing"
    assert pages.main(given) == 0
    text = (docs / "page.md").read_text(encoding="utf-8")
    assert "old" not in text
    assert text.count("by hand") == 2
    assert "| `tools.add` | 0.8 | 199 of 200 | 97.2 to 99.9 % |" in text
    assert pages.main([*given, "--check"]) == 0
    assert capsys.readouterr().out.split() == [f"{docs.name}/page.md"] * 2


def test_page_is_in_the_language_of_its_name(docs: Path) -> None:
    (docs / "page.md").rename(docs / "page.zh-CN.md")
    pages.main(["--docs", str(docs)])
    text = (docs / "page.zh-CN.md").read_text(encoding="utf-8")
    assert "| 要求 | 温度 | 正确 | 95 % 区间 |" in text


def test_page_without_its_record_is_an_error(docs: Path) -> None:
    (docs / "records" / "trials.json").unlink()
    with pytest.raises(SystemExit, match=r"page\.md: there is no records/trials\.json"):
        pages.main(["--docs", str(docs)])


def test_small_card_and_failed_start_are_named() -> None:
    record = read(RECORDS / "vram-ladder-h100-80gb-hbm3.json")
    record["rows"].append({**record["rows"][-1], "name": "w4a16-int4-0.4-on-8-gib", "card_gib": 8})
    text = ladder.table(record, ENGLISH)
    assert "| W4A16 + int4 KV, 0.4 (8 GiB) |" in text
    assert "77011 → 81066 → 77011 MiB" in text
    assert "times the tokens" not in ladder.table({**record, "rows": record["rows"][-1:]}, ENGLISH)


def test_run_without_memory_figures_has_no_picture() -> None:
    record = read(RECORDS / "quality-h100-80gb-hbm3.json")
    assert len(quality.pictures(record, "name")) == 4
    for run in record["runs"].values():
        run["rows"][0]["vram_mib"] = None
    assert quality.pictures(record, "name") == {}
    assert "svg" not in quality.measured(record, ENGLISH)


def test_scores_stand_beside_those_published_and_are_drawn() -> None:
    found = records(entries(compared(calls=50)))["bfcl-{gpu}"]
    record = {**read(RECORDS / "bfcl-checker.json"), **found}
    text = bfcl.scores(record, Place("en", "bfcl-x"))
    assert "| W4A16 + int4 KV | greedy | 50.0 | 50.0 | 60.0 | 0 | 0 | 0 | 0 |" in text
    assert "| W4A16 + int4 KV | greedy | with calls | 80 | 50 | 100 | 30.0 [" in text
    assert "/data_non_live.csv) |  | 87.00 | 64.58 |" in text
    drawn = bfcl.pictures(record, "bfcl-x")
    assert [(name, svg.count("<circle")) for name, svg in drawn.items()] == [("bfcl-x-zh.svg", 8), ("bfcl-x-en.svg", 8)]
    assert bfcl.pictures(read(RECORDS / "bfcl-checker.json"), "bfcl-checker") == {}


def test_servers_under_one_load_have_no_picture() -> None:
    record = read(RECORDS / "performance-h200.json")
    for server in record["servers"]:
        server |= {"loads": server["loads"][-1:], "held": None, "agreement": None}
    record["servers"][0]["loads"][0]["load"] = {"id": "performance.uniform", "fields": {"rate": 3.0}}
    record["servers"][0]["checks"] = {"pairs": [70, 1, 0, 0], "first": None}
    text = performance.table(record, ENGLISH)
    assert "svg" not in text
    assert "| bf16-0.4 | 3/s uniform |" in text
    assert "bf16-0.4: right alone 71 / 71 [94.9, 100.0] %, under load 70 / 71 [92.4, 99.8] %" in text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"install_exit": 1}, "not installed: exit 1"),
        ({"tests": None}, "not run"),
        ({"tests": {"exit": 2}}, "no result: exit 2"),
    ],
)
def test_environment_without_a_result_says_so(changes: dict[str, Any], words: str) -> None:
    (name, found), *_ = read(RECORDS / "versions.json")["versions"]["0.5.3"]["environments"].items()
    assert words in versions.installs({"versions": {"0.5.3": {"environments": {name: {**found, **changes}}}}}, ENGLISH)


def test_version_without_a_gpu_run_is_listed() -> None:
    assert versions.gpu_runs({"versions": {"0.6.5": {}}}, ENGLISH).endswith("| 0.6.5 | not run |")


@pytest.mark.parametrize(("torch", "borrowed"), [({}, False), ({"torch": "9.9"}, True)])
def test_run_in_a_borrowed_environment_says_what_its_lock_has(torch: dict[str, str], borrowed: bool) -> None:
    own = locked("0.18.0", "3.12.3")
    gpu = {**read(RECORDS / "versions.json")["versions"]["0.18.0"]["gpu"], "versions": {**own, **torch}}
    told = versions.gpu_runs({"versions": {"0.18.0": {"gpu": gpu}}}, ENGLISH)
    assert told.endswith(f"in a borrowed environment, its lock has torch {own['torch']} |") is borrowed
