"""The matrix: which run stands for a version, what its cells say, and what the next version changes."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from fixtures.evidence.__main__ import main
from fixtures.homework import CLAIMS
from fixtures.lmdeploy.capabilities import TRIED
from fixtures.report.matrix import Column, Matrix, collect
from fixtures.report.matrix_page import change_lines, matrix_page, matrix_post
from fixtures.run.claims import title
from fixtures.texts import Texts, message
from tests.unit.waiting import ROOT

ENGLISH = Texts("en")


def report(
    version: str | None, outcome: str = "accepted", started: str = "2026-11-22", **states: str
) -> dict[str, Any]:
    """A report.json in which every claim passed but those in `states` (dots as two underscores)."""
    found = dict.fromkeys(CLAIMS, "passed") | {key.replace("__", "."): state for key, state in states.items()}
    return {
        "verdict": {"outcome": outcome, "model": "standin"},
        "started_at": started,
        "claims": [
            {"id": id_, "state": state, "cause": f"{id_} is wrong" if state == "failed" else ""}
            for id_, state in found.items()
        ],
        "environment": {"gpu": "NVIDIA H100", "versions": {"lmdeploy": version}} if version else None,
    }


def put(root: Path, folder: str, document: dict[str, Any]) -> Matrix:
    target = root / folder
    target.mkdir(parents=True)
    (target / ("contract.json" if "lmdeploy" in document else "report.json")).write_text(json.dumps(document))
    return collect(root)


def column(matrix: Matrix, version: str) -> Column:
    return next(one for one in matrix.columns if one.version == version)


def test_every_tried_version_has_a_column_and_a_newer_one_comes_after_them(tmp_path: Path) -> None:
    assert {one.cell("tools.add").state for one in collect(tmp_path).columns} == {"not_run"}
    matrix = put(tmp_path, "lmdeploy-99.0/run", report("99.0"))
    assert tuple(one.version for one in matrix.columns) == (*TRIED, "99.0")
    assert matrix.columns[-1].untried
    assert matrix.columns[-1].adapted[0]["id"] == "newest"
    assert ENGLISH.say("matrix.newer") in matrix_page(matrix, ENGLISH)


LEFT_OUT = {claim.replace(".", "__"): "deselected" for claim in CLAIMS}


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (report("0.14.0", started="2026-11-23"), report("0.14.0", started="2026-11-22")),
        (report("0.14.0", "not_accepted", "2026-11-22"), report("0.14.0", "rehearsal", "2026-11-23")),
        (report("0.14.0", started="2026-11-22"), report("0.14.0", "not_accepted", "2026-11-23", **LEFT_OUT)),
    ],
    ids=["newest", "on a GPU before a rehearsal", "judged the homework before left it out"],
)
def test_best_run_stands_for_a_version(tmp_path: Path, better: dict[str, Any], worse: dict[str, Any]) -> None:
    put(tmp_path, "a", worse)
    found = column(put(tmp_path, "better", better), "0.14.0")
    assert (found.folders[0], found.older) == ("better", 1)


def test_deployment_of_another_model_tells_nothing_of_a_version(tmp_path: Path) -> None:
    other = report("0.14.0", "not_accepted", tools__add="failed")
    other["verdict"]["model"] = "other"
    put(tmp_path, "real", other)
    assert column(put(tmp_path, "standin", report("0.14.0", started="2026-11-21")), "0.14.0").folders[0] == "standin"


def test_reason_for_no_run_on_a_gpu_is_told_where_there_was_none(tmp_path: Path) -> None:
    record = tmp_path / "versions.json"
    why = {"run": False, "why": "no code for Hopper <cards>"}
    record.write_text(json.dumps({"versions": {"0.5.3": {"gpu": why}, "0.14.0": {"gpu": why}, "0.6.5": {}}}))
    put(tmp_path, "run", report("0.14.0"))
    matrix = collect(tmp_path, record)
    assert {one.version: one.no_gpu_run for one in matrix.columns if one.no_gpu_run} == {"0.5.3": why["why"]}
    assert "no code for Hopper &lt;cards&gt;" in matrix_page(matrix, ENGLISH)


def test_killed_run_is_known_by_its_folder_and_what_is_no_report_is_named(tmp_path: Path) -> None:
    put(tmp_path, "lmdeploy-0.9.2.post1/run", report(None, "not_accepted", tools__add="unfinished"))
    put(tmp_path, "elsewhere", report(None))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "report.json").write_text("{")
    matrix = collect(tmp_path)
    assert column(matrix, "0.9.2.post1").cell("tools.add").state == "failed"
    assert [name for name, _ in matrix.unreadable] == ["broken/report.json", "elsewhere/report.json"]


@pytest.mark.parametrize(
    ("state", "cell"),
    [
        *((state, "failed") for state in ("rerun", "xfailed", "xpassed", "not_measured", "unfinished")),
        *((state, "not_run") for state in ("skipped", "deselected", "not_collected")),
        ("needs_gpu", "no_gpu"),
    ],
)
def test_only_a_clean_pass_is_green(tmp_path: Path, state: str, cell: str) -> None:
    matrix = put(tmp_path, "run", report("0.18.0", tools__add=state))
    assert column(matrix, "0.18.0").cell("tools.add").state == cell
    if cell == "failed":
        assert ENGLISH.say(f"state.{state}") in matrix_page(matrix, ENGLISH)


@pytest.mark.parametrize(
    ("versions", "code", "words"),
    [
        (
            ["--from=0.10.2", "--to=0.18.0"],
            0,
            ["0.10.2 → 0.18.0", "--trust-remote-code", "/health can say 503: no → yes"],
        ),
        (["--from=0.18.0", "--to=0.18.0"], 0, ["Nothing."]),
        (["--from=0.10.9"], 2, ["no version 0.10.9", "0.10.2"]),
    ],
)
def test_all_that_changes_between_two_versions_is_added_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], versions: list[str], code: int, words: list[str]
) -> None:
    assert main(["matrix", str(tmp_path), "--lang", "en", *versions]) == code
    said = "".join(capsys.readouterr())
    assert [word for word in words if word not in said] == []
    assert not list(tmp_path.iterdir()), "nothing is written"


@pytest.mark.parametrize("judged", ["not_offered", "passed"])
def test_what_a_version_lacks_says_why_unless_it_was_seen_to_pass(tmp_path: Path, judged: str) -> None:
    document = json.loads((ROOT / "docs/reports/contract-0.12.3/contract.json").read_text(encoding="utf-8"))
    next(claim for claim in document["claims"] if claim["id"] == "cli.api_client")["state"] = judged
    matrix = put(tmp_path, "contract-0.12.3", document)
    assert column(matrix, "0.12.3").cell("cli.api_client").state == judged
    assert column(matrix, "0.9.2.post1").cell("cli.api_client").state == "not_run"
    assert ENGLISH.say("not_offered.api_client") in matrix_page(matrix, ENGLISH)


@pytest.mark.parametrize("cause", ["no call came", message("matrix.kind.rehearsal").as_json()], ids=["text", "message"])
def test_one_cause_is_one_failure_with_all_its_claims(tmp_path: Path, cause: object) -> None:
    document = report("0.18.0", tools__add="failed", tools__multiply="failed", tools__chain="failed")
    for one in document["claims"]:
        if one["id"] in ("tools.add", "tools.multiply"):
            one["cause"] = cause
    matrix = put(tmp_path, "run", document)
    assert [(failure.number, failure.cause, failure.claims) for failure in matrix.failures] == [
        (1, cause, ("tools.add", "tools.multiply")),
        (2, "tools.chain is wrong", ("tools.chain",)),
    ]
    assert f"<pre>{ENGLISH.tell(cause)}</pre>" in matrix_page(matrix, ENGLISH)


def test_changes_of_the_next_version_are_told(tmp_path: Path) -> None:
    put(tmp_path, "a", report("0.9.2.post1"))
    document = report("0.18.0")
    document["adapted"] = {"lmdeploy": "0.18.0", "adaptations": [{"id": "unheard", "value": "of", "upstream": ""}]}
    put(tmp_path, "recorded", document)
    matrix = put(tmp_path, "b", report("0.10.2", tools__add="failed"))
    told = {
        newer.version: change_lines(matrix.shown, older, newer, ENGLISH) for older, newer in pairwise(matrix.columns)
    }
    assert ENGLISH.say("matrix.turned_red", claim=title("tools.add", ENGLISH)) in told["0.10.2"]
    assert ENGLISH.say("matrix.gone", what=ENGLISH.say("adapted.folder_name")) in told["0.10.2"]
    assert ENGLISH.say("not_offered.api_client") in "\n".join(told["0.10.2"])
    assert told["0.17.0"] == []
    assert "unheard" in "\n".join(told["0.18.0"]), "what was recorded counts more than the table"


def test_program_writes_both_languages_of_page_and_post(tmp_path: Path) -> None:
    put(tmp_path / "reports", "lmdeploy-0.14.0/run", report("0.14.0", tools__add="failed"))
    assert main(["matrix", str(tmp_path / "reports"), "--out", str(tmp_path)]) == 0
    assert 'lang="zh"' in (tmp_path / "matrix.zh-CN.html").read_text(encoding="utf-8")
    for post in ("matrix.md", "matrix.zh-CN.md"):
        assert "❌ 1" in (tmp_path / post).read_text(encoding="utf-8")
    (tmp_path / "report.json").write_text("[]")
    assert main(["matrix", str(tmp_path)]) == 1
    assert main(["matrix", str(tmp_path / "nowhere")]) == 2


def test_hostile_report_stays_text(tmp_path: Path) -> None:
    document = report("0.18.0", tools__add="failed")
    document["claims"][9]["cause"] = "<script>alert(1)</script>\n```\n# heading"
    document["started_at"] = "<b>now</b>"
    matrix = put(tmp_path, "run", document)
    assert "<script>" not in matrix_page(matrix, ENGLISH)
    assert "<b>now" not in matrix_page(matrix, ENGLISH)
    assert "````" in matrix_post(matrix, ENGLISH)


def test_committed_reports_are_read_whatever_their_schema() -> None:
    matrix = collect(ROOT / "docs" / "reports")
    assert matrix.unreadable == ()
    judged = [one for one in matrix.columns if one.report]
    assert judged
    assert all(any(cell.state == "passed" for cell in one.cells.values()) for one in judged)
