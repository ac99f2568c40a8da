"""Every text is there in both languages, is used, and nothing is said that has none."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final, get_args

from fixtures.judge.verdict import Model, Outcome, State
from fixtures.report.stages import STAGES
from fixtures.run.claims import load_all
from fixtures.suites import HOMEWORK, suites
from fixtures.texts import LANGUAGES, catalogue, files
from tests.unit.waiting import ROOT

CHINESE = re.compile("[\u4e00-\u9fff]")
PLACES = (ROOT / "fixtures", ROOT / "tests" / "acceptance", ROOT / "tools")
TEMPLATES = sorted((ROOT / "fixtures" / "report" / "templates").iterdir())


@cache
def sources() -> list[ast.Module]:
    paths = (path for place in PLACES for path in place.rglob("*.py") if "unit" not in path.parts)
    return [ast.parse(path.read_text(encoding="utf-8")) for path in sorted(paths)]


@cache
def literals() -> set[str]:
    """Every string of the code and of the templates."""
    said = {found for text in TEMPLATES for found in re.findall(r'"([\w. ]+)"', text.read_text(encoding="utf-8"))}
    return said | {node.value for tree in sources() for node in ast.walk(tree)
                   if isinstance(node, ast.Constant) and isinstance(node.value, str)}  # fmt: skip


@cache
def patterns() -> list[re.Pattern[str]]:
    """Ids that are put together: f"state.{claim.state}" in code, "state." ~ claim.state in a template."""
    found = {re.escape(start) + ".+" for text in TEMPLATES
             for start in re.findall(r'"([\w.]+\.)" ~', text.read_text(encoding="utf-8"))}  # fmt: skip
    for tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                parts = [re.escape(str(one.value)) if isinstance(one, ast.Constant) else ".+" for one in node.values]
                if re.fullmatch(r"[\w.\\]*\w[\w.\\]*", "".join(parts).replace(".+", "")) and parts != [".+"]:
                    found.add("".join(parts))
    return [re.compile(pattern) for pattern in sorted(found)]


def called(*names: str) -> Iterator[ast.Call]:
    for tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                if name in names or ("*Error" in names and re.search("Error$|^Server|^ForeignServer|^Another", name)):
                    yield node


def ids_of(*names: str) -> set[str]:
    """First arguments, where they are literals and ids: an id has neither blanks nor capitals."""
    first = (call.args[0] for call in called(*names) if call.args)
    said = {one.value for one in first if isinstance(one, ast.Constant) and isinstance(one.value, str)}
    return {id_ for id_ in said if re.fullmatch(r"[a-z][a-z0-9_.]*", id_)}


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_both_languages_have_every_text_with_the_same_values_in_it() -> None:
    assert [id_ for id_, text in catalogue().items() if not all(text.get(name, "").strip() for name in LANGUAGES)] == []
    assert [id_ for id_, text in catalogue().items() if places(text["zh"]) != places(text["en"])] == []
    assert [id_ for id_, text in catalogue().items() if CHINESE.search(text["en"])] == []
    assert len(files()) > 1


def test_every_claim_has_a_title_in_both_languages() -> None:
    assert [claim.id for claim in load_all() if not (claim.zh and claim.en) or CHINESE.search(claim.en)] == []


def test_nothing_is_said_that_has_no_text() -> None:
    judged = {suite.id for suite in suites().values() if suite.judged}
    outcomes = {one for one in get_args(Outcome) if one not in ("passed", "failed", "rehearsed")}
    wanted = {f"figure.{id_}" for id_ in ids_of("measure")}
    wanted |= {f"not_measured.{id_}" for id_ in ids_of("not_measured")}
    wanted |= {f"error.{id_}.what" for id_ in ids_of("*Error")}
    wanted |= {f"reason.{id_}" for id_ in ids_of("Reason") if id_ != "unproved"}
    wanted |= ids_of("message", "say")
    wanted |= {f"state.{state}" for state in get_args(State)} | {f"model.{model}" for model in get_args(Model)}
    wanted |= {f"stage.{stage}" for stage in (*STAGES, "report")}
    wanted |= {f"{suite}.{name}" for suite in judged for name in ("subtitle", "heading")}
    wanted |= {f"{HOMEWORK.id}.{family}.{one}" for family in ("outcome", "explain") for one in outcomes}
    wanted |= {f"{suite}.{family}.{one}" for suite in judged - {HOMEWORK.id}
               for family in ("outcome", "explain") for one in ("passed", "failed")}  # fmt: skip
    assert sorted(id_ for id_ in wanted if id_ not in catalogue()) == []


NAMED: Final = ("figure", "not_measured", "error", "doctor", "reason", "relation", "unit")
"""Families of texts that are put together from a name: the name must stand in the code."""


def is_used(id_: str) -> bool:
    """Whether the text's id, or the name within it, stands in the code, or a pattern there makes it."""
    family, _, name = id_.partition(".")
    wide = rf"{family}\..+"
    if id_ in literals() or name == "unproved":
        return True
    if family in NAMED:
        name = re.sub(r"\.(what|remedy)$", "", name)
        made = [one for one in patterns() if re.match("[a-z]{4}", one.pattern) and not one.pattern.startswith(wide)]
        return name in literals() or any(one.fullmatch(name) or one.fullmatch(id_) for one in made)
    return any(pattern.fullmatch(id_) for pattern in patterns() if not pattern.pattern.startswith(r".+\.w"))


def test_every_text_is_used() -> None:
    assert [id_ for id_ in catalogue() if not is_used(id_)] == []


def test_no_sentence_stands_in_the_reports_code() -> None:
    for path in (*(ROOT / "fixtures" / "report").glob("*.py"), *TEMPLATES):
        assert not CHINESE.search(path.read_text(encoding="utf-8")), path.name
    assert Path(ROOT / "fixtures" / "report" / "texts.toml") in files()
