"""How long the page is on a screen and on paper, in a real browser; what is wrong about a page that was looked at."""

import importlib.util
import json
from pathlib import Path

import pytest

from fixtures.evidence import read
from fixtures.report.page import standalone
from fixtures.report.pictures import browser, chromium
from fixtures.report.summary import summarize
from fixtures.texts import LANGUAGES, Texts
from tests.unit.report import synthetic
from tests.unit.waiting import ROOT
from tools.looks import MOST, REPORTS, SCREEN, length, wrong


@pytest.mark.browser
@pytest.mark.skipif(importlib.util.find_spec("playwright") is None or browser() is None, reason="needs a browser")
def test_pages_are_short_enough_to_be_read(tmp_path: Path) -> None:
    logs = {"made up": synthetic.entries(), **{name: read(ROOT / "docs" / "reports" / name) for name in REPORTS}}
    too_long = []
    with chromium(browser() or "") as launched:
        for name, log in logs.items():
            run, file = summarize(log), tmp_path / "page.html"
            for language in LANGUAGES:
                file.write_text(standalone(run, Texts(language)), encoding="utf-8")
                page = launched.new_page(viewport={"width": 1280, "height": SCREEN})
                page.goto(file.as_uri())
                found = length(page)
                page.close()
                most = MOST[run.verdict.passed == len(run.verdict.claims)]
                too_long += [(name, language, found) for unit in most if found[unit] > most[unit]]
    assert too_long == []


@pytest.mark.parametrize(
    ("row", "is_wrong"),
    [
        ({}, False),
        ({"screens": 6.0, "sheets": 6}, False),
        ({"screens": 6.1, "sheets": 6}, True),
        ({"screens": 6.1, "passed": False}, False),
        ({"sheets": 7}, True),
        ({"violations": {"region": 1}}, True),
        ({"violations_unfolded": {"region": 1}}, True),
    ],
)
def test_what_is_wrong_about_a_page(row: dict[str, object], is_wrong: bool) -> None:
    assert wrong({"passed": True, "violations": {}, **row}) == is_wrong


def test_every_page_of_the_record_is_right() -> None:
    found = json.loads((ROOT / "docs" / "records" / "axe.json").read_text(encoding="utf-8"))["rows"]
    assert {row["report"] for row in found} == set(REPORTS)
    assert [row for row in found if wrong(row)] == []
