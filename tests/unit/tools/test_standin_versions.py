"""The record of the stand-in behind each version's server: what is taken from a run, and which runs are not taken."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fixtures.client.tools import TOOLS
from fixtures.evidence import read
from fixtures.evidence.events import Exchanged, RunStarted, TryJudged
from fixtures.evidence.log import TRIALS_FILE
from fixtures.evidence.seal import REPORT_FILE, seal
from fixtures.judge.profile import SEED
from fixtures.report.summary import summarize
from fixtures.report.verification import derived
from tests.unit.report import synthetic
from tools.standin.rendering import BUILTIN_SYSTEM
from tools.standin.versions import UnfitRunError, main, merged, opening, rendering, row, runs_below

ASKED = "<|im_start|>user\nCompute 3+5<|im_end|>\n<|im_start|>assistant\n"
MODERN = len("<s>" + ASKED)
BUILTIN = len(f"<s><|im_start|>system\n{BUILTIN_SYSTEM}<|im_end|>\n{ASKED}")
"""Tokens where every character is one."""


def exchange(counted: int, *before: str, status: int = 200, **request: Any) -> Exchanged:
    """`Compute 3+5`, after messages of these roles, with a prompt of so many tokens."""
    messages = [*({"role": role, "content": "x"} for role in before), {"role": "user", "content": "Compute 3+5"}]
    answer = {"usage": {"prompt_tokens": counted}}
    return Exchanged("test", "/v1/chat/completions", {"messages": messages, **request}, status, answer, 0.1)


@pytest.mark.parametrize(("counted", "style"), [(BUILTIN, "builtin"), (MODERN, "modern")])
def test_the_rendering_is_the_one_that_has_the_tokens_counted(counted: int, style: str) -> None:
    assert rendering([exchange(counted), exchange(counted)], len) == (style, 2)


@pytest.mark.parametrize("other", [exchange(7, "system"), exchange(7, "user", "assistant"), exchange(7, status=500)])
def test_what_does_not_tell_them_apart_is_left_out(other: Exchanged) -> None:
    assert rendering([exchange(MODERN), other], len) == ("modern", 1)


@pytest.mark.parametrize(
    ("exchanges", "words"),
    [
        ([exchange(MODERN, tools=list(TOOLS))], f"0 of the renderings fit .*: {MODERN} tokens, .* expected"),
        ([exchange(MODERN), exchange(BUILTIN)], "0 of the renderings"),
        ([exchange(MODERN, "system")], "2 of the renderings .*: no prompt tells them apart"),
    ],
    ids=["tools dropped", "two templates", "nothing seen"],
)
def test_a_server_that_renders_otherwise_is_an_error(exchanges: list[Exchanged], words: str) -> None:
    with pytest.raises(UnfitRunError, match=words):
        rendering(exchanges, len)


def test_the_tools_are_part_of_what_was_asked() -> None:
    found = opening(exchange(1, tools=list(TOOLS)).request)
    assert found is not None
    assert found.tools == tuple(tool["function"] for tool in TOOLS)


TRIALS = {"command": "pytest tests -m gpu", "date": "2026-11-23T04:00:00+00:00", "versions": {"lmdeploy": "0.18.0"}}
STRICT = {"checkpoint": "standin", "profile": "strict", "seed": SEED, "served": "w4a16+int4kv"}
CLAIM = {"claim": "tools.add_trials", "temperature": 0.8, "k": 1, "n": 2, "lower": 0.0945, "upper": 0.9055}


def run(folder: Path, rehearsal: bool = True, **trials: Any) -> Path:
    """A sealed run with two trials at a claim; nothing in it was measured."""
    log = [entry for entry in synthetic.entries() if not isinstance(entry.event, Exchanged)]
    (first,) = (entry for entry in log if isinstance(entry.event, RunStarted))
    log[log.index(first)] = replace(first, event=replace(first.event, rehearsal=rehearsal))
    tries = [
        TryJudged("tools.add_trials", 1, True, "", [], "8"),
        TryJudged("tools.add_trials", 2, False, "no call", [], ""),
    ]
    log = [entry for entry in log if not isinstance(entry.event, TryJudged)]
    log[-1:-1] = [replace(log[-1], event=event) for event in (*tries, exchange(MODERN))]
    synthetic.write(folder, log)
    (folder / REPORT_FILE).write_text(derived(folder, summarize(read(folder))), encoding="ascii")
    (folder / TRIALS_FILE).write_text(json.dumps({**TRIALS, **STRICT, "claims": [CLAIM], **trials}), encoding="utf-8")
    seal(folder)
    return folder


def test_a_row_says_what_was_run_on_what_and_what_came_of_it(tmp_path: Path) -> None:
    found = row(run(tmp_path / "run"), len)
    assert (found["lmdeploy"], found["rendering"], found["prompts_compared"]) == ("0.18.0", "modern", 1)
    assert found["claims"] == [CLAIM]
    assert found["wrong"] == [{"claim": "tools.add_trials", "trial": 2, "reason": "no call"}]
    assert (found["command"], found["date"], found["versions"]) == tuple(TRIALS.values())
    assert found["hardware"]["platform"] == "Linux-6.8-x86_64"
    assert found["served"] == "w4a16+int4kv"


@pytest.mark.parametrize(
    "otherwise", [{"rehearsal": False}, {"checkpoint": "geometry"}, {"profile": "homework"}, {"seed": 1}], ids=str
)
def test_only_strict_rehearsals_of_the_stand_in_with_the_suites_seed_count(
    otherwise: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(UnfitRunError, match="no strict rehearsal of the stand-in"):
        row(run(tmp_path / "run", **otherwise), len)


def test_edited_evidence_is_no_record(tmp_path: Path) -> None:
    file = run(tmp_path / "run") / TRIALS_FILE
    file.write_text(file.read_text(encoding="utf-8").replace('"k": 1', '"k": 2'), encoding="utf-8")
    with pytest.raises(UnfitRunError, match="edited after it was sealed") as found:
        row(file.parent, len)
    assert found.value.where == "run"


def test_the_newest_run_of_a_version_takes_the_place_of_the_recorded_one() -> None:
    old = [{"lmdeploy": version, "date": "2026-11-21"} for version in ("0.18.0", "0.9.2.post1")]
    newer, newest = ({"lmdeploy": "0.18.0", "date": date} for date in ("2026-11-22", "2026-11-23"))
    between = {"lmdeploy": "0.10.2", "date": "2026-11-22"}
    assert merged({"rows": old}, [newest, between, newer]) == [old[1], between, newest]


def test_runs_without_trials_are_no_runs_of_trials(tmp_path: Path) -> None:
    for name in ("b", "a"):
        run(tmp_path / "rehearsed" / name)
    (tmp_path / "rehearsed" / "c").mkdir()
    assert [folder.name for folder in runs_below(tmp_path)] == ["a", "b"]


def test_the_program_writes_the_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[main.__module__], "counter", lambda: len)
    run(tmp_path / "reports" / "run")
    out = tmp_path / "record.json"
    main([str(tmp_path / "reports"), "--out", str(out)])
    record = json.loads(out.read_text(encoding="utf-8"))
    assert record["command"].startswith("python -m tools.standin.versions ")
    assert record["seed"] == SEED
    assert [found["lmdeploy"] for found in record["rows"]] == ["0.18.0"]


def test_a_folder_without_runs_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(UnfitRunError, match=r"no trials\.json below"):
        main([str(tmp_path), "--out", str(tmp_path / "record.json")])
    assert not (tmp_path / "record.json").exists()
