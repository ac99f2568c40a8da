"""The matrix: which run stands for a version, what its cells say, and what the next version changes."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from fixtures.evidence.__main__ import main
from fixtures.lmdeploy.capabilities import TRIED, adaptations
from fixtures.report.matrix import FACTS, Matrix, collect
from fixtures.report.matrix_page import change_lines, matrix_page
from fixtures.report.matrix_post import matrix_post
from fixtures.run.claims import CONTRACT, HOMEWORK
from fixtures.texts import LANGUAGES, TEXTS, Texts


def report(
    version: str | None, outcome: str = "accepted", started: str = "2026-11-22", **states: str
) -> dict[str, Any]:
    """A report.json with every claim held but those in `states` (dots as two underscores)."""
    found = {claim.id: "passed" for claim in HOMEWORK} | {
        key.replace("__", "."): state for key, state in states.items()
    }
    return {
        "verdict": {"outcome": outcome, "model": "standin"},
        "started_at": started,
        "claims": [claim(id_, state) for id_, state in found.items()],
        "environment": {"gpu": "NVIDIA H100", "versions": {"lmdeploy": version}} if version else None,
    }


def claim(id_: str, state: str) -> dict[str, Any]:
    return {"id": id_, "state": state, "cause": f"{id_} is wrong" if state == "failed" else "", "right": 0, "tries": 0}


def contract(version: str, **states: str) -> dict[str, Any]:
    """A contract.json of a version."""
    found = {one.id: "passed" for one in CONTRACT} | {key.replace("__", "."): state for key, state in states.items()}
    return {
        "lmdeploy": version,
        "date": "2026-11-22",
        "adaptations": [asdict(adaptation) for adaptation in adaptations(version)],
        "claims": [claim(id_, state) for id_, state in found.items()],
    }


def put(root: Path, folder: str, document: dict[str, Any]) -> None:
    target = root / folder
    target.mkdir(parents=True)
    (target / ("contract.json" if "lmdeploy" in document else "report.json")).write_text(json.dumps(document))


def column(matrix: Matrix, version: str) -> Any:
    return next(one for one in matrix.columns if one.version == version)


def change(matrix: Matrix, new: str) -> Any:
    return next(one for one in matrix.changes if one.new == new)


def test_every_tried_version_has_a_column_even_without_a_run(tmp_path: Path) -> None:
    matrix = collect(tmp_path)
    assert tuple(one.version for one in matrix.columns) == TRIED
    assert {one.cell("tools.add").state for one in matrix.columns} == {"not_run"}


def test_a_new_version_gets_a_column_after_the_others_and_is_called_newer(tmp_path: Path) -> None:
    put(tmp_path, "lmdeploy-0.19.0/run", report("0.19.0"))
    matrix = collect(tmp_path)
    assert matrix.columns[-1].version == "0.19.0"
    assert matrix.columns[-1].untried
    assert matrix.columns[-1].adapted[0]["id"] == "newest"
    assert "newer than the table" in matrix_page(matrix, Texts("en"))


def test_the_newest_run_stands_for_a_version(tmp_path: Path) -> None:
    put(tmp_path, "lmdeploy-0.14.0/a", report("0.14.0", started="2026-11-23", tools__add="failed"))
    put(tmp_path, "lmdeploy-0.14.0/b", report("0.14.0", started="2026-11-22"))
    found = column(collect(tmp_path), "0.14.0")
    assert (found.folders[0], found.older) == ("lmdeploy-0.14.0/a", 1)
    assert found.cell("tools.add").state == "failed"


def test_a_run_on_a_gpu_stands_before_a_newer_rehearsal(tmp_path: Path) -> None:
    put(tmp_path, "a", report("0.14.0", "rehearsal", "2026-11-23", vram__peak="needs_gpu"))
    assert column(collect(tmp_path), "0.14.0").cell("vram.peak").state == "no_gpu"
    put(tmp_path, "b", report("0.14.0", "not_accepted", "2026-11-22"))
    assert not column(collect(tmp_path), "0.14.0").rehearsal


def test_a_run_that_left_the_homework_out_stands_behind_one_that_judged_it(tmp_path: Path) -> None:
    put(tmp_path, "a", report("0.14.0", started="2026-11-22", tools__add="failed"))
    left_out = {claim.id.replace(".", "__"): "deselected" for claim in HOMEWORK}
    put(tmp_path, "b", report("0.14.0", "not_accepted", "2026-11-23", **left_out))
    assert column(collect(tmp_path), "0.14.0").folders[0] == "a"


def test_why_a_version_was_not_run_on_a_gpu_is_told_where_it_was_not(tmp_path: Path) -> None:
    record = tmp_path / "versions.json"
    why = {"run": False, "why": "no code for Hopper <cards>"}
    record.write_text(json.dumps({"versions": {"0.5.3": {"gpu": why}, "0.14.0": {"gpu": why}, "0.6.5": {}}}))
    put(tmp_path, "run", report("0.14.0"))
    put(tmp_path, "rehearsed", report("0.5.3", "rehearsal"))
    matrix = collect(tmp_path, record)
    assert {one.version: one.no_gpu_run for one in matrix.columns if one.no_gpu_run} == {"0.5.3": why["why"]}
    assert "no code for Hopper &lt;cards&gt;" in matrix_page(matrix, Texts("en"))
    assert "- 0.5.3: no code for Hopper" in matrix_post(matrix, Texts("en"))


def test_a_killed_run_is_known_by_its_environments_folder(tmp_path: Path) -> None:
    put(tmp_path, "lmdeploy-0.9.2.post1/run", report(None, "not_accepted", tools__add="unfinished"))
    assert column(collect(tmp_path), "0.9.2.post1").cell("tools.add").state == "failed"


def test_what_is_no_report_is_named_and_not_taken(tmp_path: Path) -> None:
    put(tmp_path, "elsewhere", report(None))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "report.json").write_text("{")
    matrix = collect(tmp_path)
    assert [name for name, _ in matrix.unreadable] == ["broken/report.json", "elsewhere/report.json"]
    assert "names no lmdeploy version" in matrix.unreadable[1][1]


@pytest.mark.parametrize("state", ["rerun", "xfailed", "xpassed", "not_measured", "unfinished"])
def test_what_is_no_clean_pass_is_red(tmp_path: Path, state: str) -> None:
    put(tmp_path, "run", report("0.18.0", tools__add=state))
    cell = column(collect(tmp_path), "0.18.0").cell("tools.add")
    assert (cell.state, cell.cause) == ("failed", state.replace("_", " "))


@pytest.mark.parametrize("state", ["skipped", "deselected", "not_collected"])
def test_what_did_not_run_is_no_pass(tmp_path: Path, state: str) -> None:
    put(tmp_path, "run", report("0.18.0", tools__add=state))
    assert column(collect(tmp_path), "0.18.0").cell("tools.add").state == "not_run"


def test_what_a_version_lacks_is_not_offered_and_says_why(tmp_path: Path) -> None:
    put(tmp_path, "contract-0.12.3", contract("0.12.3", cli__api_client="not_offered"))
    matrix = collect(tmp_path)
    assert column(matrix, "0.12.3").cell("cli.api_client").state == "not_offered"
    assert column(matrix, "0.9.2.post1").cell("cli.api_client").state == "not_run"
    assert "api_client was dropped in 0.10.0" in matrix_page(matrix, Texts("en"))
    assert "api_client 在 0.10.0 被移除" in matrix_page(matrix, Texts("zh"))


def test_a_pass_of_what_the_table_denies_is_shown_as_it_is(tmp_path: Path) -> None:
    put(tmp_path, "contract-0.12.3", contract("0.12.3", cli__api_client="passed"))
    assert column(collect(tmp_path), "0.12.3").cell("cli.api_client").state == "passed"


def test_one_cause_is_one_failure_with_all_its_claims(tmp_path: Path) -> None:
    document = report("0.18.0", tools__add="failed", tools__multiply="failed", tools__chain="failed")
    for one in document["claims"]:
        one["cause"] = "no call came" if one["state"] == "failed" and one["id"] != "tools.chain" else one["cause"]
    put(tmp_path, "run", document)
    matrix = collect(tmp_path)
    assert [(failure.number, failure.cause, failure.claims) for failure in matrix.failures] == [
        (1, "no call came", ("tools.add", "tools.multiply")),
        (2, "tools.chain is wrong", ("tools.chain",)),
    ]


def test_what_the_next_version_changes_is_told(tmp_path: Path) -> None:
    put(tmp_path, "a", report("0.9.2.post1"))
    put(tmp_path, "b", report("0.10.2", tools__add="failed"))
    matrix = collect(tmp_path)
    told = "\n".join(change_lines(change(matrix, "0.10.2"), Texts("en")))
    for words in (
        "held before, fails now: The model called add",
        "api_client was dropped in 0.10.0",
        "newly adapted: a chat_template.jinja that shows tools",
        "no longer needed: the quantized folder's name holds internlm2 and chat",
        "count of tokens in a stream: every chunk → last chunk",
    ):
        assert words in told
    assert change(matrix, "0.17.0").nothing
    assert ("weights_format", "bin", "safetensors") in change(matrix, "0.9.2.post1").facts


def test_what_a_run_recorded_counts_more_than_the_table(tmp_path: Path) -> None:
    document = report("0.18.0")
    document["adapted"] = {"lmdeploy": "0.18.0", "adaptations": [{"id": "unheard", "value": "of", "upstream": ""}]}
    put(tmp_path, "run", document)
    matrix = collect(tmp_path)
    assert column(matrix, "0.18.0").adapted == ({"id": "unheard", "value": "of", "upstream": ""},)
    assert "newly adapted: unheard of" in "\n".join(change_lines(change(matrix, "0.18.0"), Texts("en")))


def test_the_program_writes_both_languages_of_page_and_post(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path / "reports", "lmdeploy-0.14.0/run", report("0.14.0", tools__add="failed"))
    assert main(["matrix", str(tmp_path / "reports"), "--out", str(tmp_path)]) == 0
    assert sorted(file.name for file in tmp_path.glob("matrix*")) == [
        "matrix-en.html",
        "matrix-en.md",
        "matrix.html",
        "matrix.md",
    ]
    assert 'lang="zh"' in (tmp_path / "matrix.html").read_text(encoding="utf-8")
    assert "❌ 1" in (tmp_path / "matrix.md").read_text(encoding="utf-8")
    assert "matrix.html" in capsys.readouterr().out


def test_the_program_says_what_it_could_not_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "report.json").write_text("[]")
    assert main(["matrix", str(tmp_path)]) == 1
    assert "report.json:" in capsys.readouterr().err
    assert main(["matrix", str(tmp_path / "nowhere")]) == 2


def test_a_hostile_report_stays_text(tmp_path: Path) -> None:
    document = report("0.18.0", tools__add="failed")
    document["claims"][9]["cause"] = "<script>alert(1)</script>\n```\n# heading"
    document["started_at"] = "<b>now</b>"
    put(tmp_path, "run", document)
    page, post = matrix_page(collect(tmp_path), Texts("en")), matrix_post(collect(tmp_path), Texts("en"))
    assert "<script>" not in page
    assert "<b>now" not in page
    assert "````" in post


def test_every_fact_has_its_text() -> None:
    assert {id_ for id_ in TEXTS if id_.startswith("fact.")} == {f"fact.{name}" for name in (*FACTS, True, False)}
