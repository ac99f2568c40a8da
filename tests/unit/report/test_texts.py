"""Every text is there in both languages, is used, and nothing is said that has none."""

import json
import re
import string
from typing import Final, get_args

from fixtures.judge.verdict import Model, Outcome, State
from fixtures.report.stages import STAGES
from fixtures.run.claims import load_all
from fixtures.suites import HOMEWORK, suites
from fixtures.texts import LANGUAGES, catalogue, files
from tests.unit.waiting import ROOT

CHINESE = re.compile("[\u4e00-\u9fff]")
PLACES = (ROOT / "fixtures", ROOT / "tests" / "acceptance")
TEMPLATES = sorted((ROOT / "fixtures" / "report" / "templates").iterdir())
FILES = [path for place in PLACES for path in sorted(place.rglob("*.py")) if "unit" not in path.parts]
CODE = "\n".join(path.read_text(encoding="utf-8") for path in (*FILES, *TEMPLATES)).replace("'", '"')
PUT_TOGETHER = re.findall(r'"([a-z_.]*(?:\{[^}\n]+\}[a-z_.]*)+)"', CODE) + [
    start + "{}" for start in re.findall(r'"([a-z_.]+\.)" ~', CODE)
]
"""Ids such as f"state.{claim.state}" in code, and "state." ~ claim.state in a template."""

PATTERNS = {pattern for found in PUT_TOGETHER if re.search(r"[a-z]{2}", pattern := re.sub(r"\{[^}]*\}", ".+", found))}

NAMED: Final = ("figure", "not_measured", "error", "doctor", "reason", "relation", "unit")
"""Families of texts that are put together from a name: the name must stand in the code."""


def ids_of(function: str) -> set[str]:
    """First arguments of calls, where they are literals and ids: an id has neither blanks nor capitals."""
    return set(re.findall(rf'\b(?:{function})\(\s*"([a-z][a-z0-9_.]*[a-z0-9])"', CODE))


def is_used(id_: str) -> bool:
    """Whether the text's id, or the name within it, stands in the code, or a pattern there makes it."""
    family, _, name = id_.partition(".")
    if name == "unproved":  # put together of a suite's id and a reason's
        return True
    if family in NAMED:
        name = re.sub(r"\.(what|remedy)$", "", name)
        made = (found for found in PATTERNS if not found.startswith((".+", f"{family}..+")))
        return f'"{name}"' in CODE or any(re.fullmatch(found, one) for found in made for one in (name, id_))
    return f'"{id_}"' in CODE or any(re.fullmatch(found.replace("..+", r"\..+"), id_) for found in PATTERNS)


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
    wanted |= {f"error.{id_}.what" for id_ in ids_of(r"\w*Error|Server\w*|ForeignServer|Another\w*")}
    wanted |= {f"reason.{id_}" for id_ in ids_of("Reason") if id_ != "unproved"}
    wanted |= ids_of("message|say")
    wanted |= {f"state.{state}" for state in get_args(State)} | {f"model.{model}" for model in get_args(Model)}
    wanted |= {f"stage.{stage}" for stage in (*STAGES, "report")}
    wanted |= {f"{suite}.{name}" for suite in judged for name in ("subtitle", "heading")}
    wanted |= {f"{HOMEWORK.id}.{family}.{one}" for family in ("outcome", "explain") for one in outcomes}
    wanted |= {f"{suite}.{family}.{one}" for suite in judged - {HOMEWORK.id}
               for family in ("outcome", "explain") for one in ("passed", "failed")}  # fmt: skip
    assert sorted(id_ for id_ in wanted if id_ not in catalogue()) == []


def test_every_text_is_used() -> None:
    assert [id_ for id_ in catalogue() if not is_used(id_)] == []


def test_what_the_claims_see_is_told_as_it_was_measured() -> None:
    record = json.loads((ROOT / "docs" / "records" / "judgement.json").read_text(encoding="utf-8"))
    light, heavier = (record["levels"][f"noise-{level}"] for level in ("0.1", "0.2"))
    figures = [
        "0.1", light["accept"], light["stories"], light["calls_right"], light["calls"],
        "0.2", heavier["accept"], heavier["stories"], heavier["calls_right"],
    ]  # fmt: skip
    for language, text in catalogue()["claims_see"].items():
        told = re.findall(r"(?<![A-Za-z.\d])\d+(?:\.\d+)?(?![\d.]*B)", text)
        assert sorted(set(told)) == sorted(set(map(str, figures))), language


def test_no_sentence_stands_in_the_reports_code() -> None:
    for path in (*(ROOT / "fixtures" / "report").glob("*.py"), *TEMPLATES):
        assert not CHINESE.search(path.read_text(encoding="utf-8")), path.name
