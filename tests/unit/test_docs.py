"""The pages: each in both languages, with links that lead somewhere and names of what is there."""

import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Final

import pytest

from fixtures.suites import suites

ROOT: Final = Path(__file__).parents[2]
FOLDERS: Final = ("docs/*.md", "docs/findings/*.md")
DOCS: Final = [page for folder in FOLDERS for page in ROOT.glob(folder)]
ENGLISH: Final = [ROOT / "README.md", *(page for page in DOCS if ".zh-CN" not in page.name)]
CHINESE: Final = [page.with_name(f"{page.stem}.zh-CN.md") for page in ENGLISH]
PAGES: Final = [
    *ENGLISH, *CHINESE, ROOT / "CONTRIBUTING.md", ROOT / "fixtures/standin/README.md", ROOT / "docs/reports/README.md"
]  # fmt: skip

GENERATED: Final = re.compile(r"<!-- (?:made|written) by .*?<!-- end -->", re.DOTALL)
"""Parts which quote commands as they were when the record was made."""

FENCED: Final = re.compile(r"^ *```.*?^ *```$", re.DOTALL | re.MULTILINE)
PLACEHOLDER: Final = re.compile(r"NAME|VERSION|版本|X\.Y\.Z|greeting|counting")
"""In names that a reader replaces by others; `greeting` and `counting` are what docs/extending.md adds."""


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def headings(page: Path) -> list[tuple[int, str]]:
    found = re.findall(r"^(#+) (.+)$", FENCED.sub("", read(page)), re.MULTILINE)
    return [(len(marks), title) for marks, title in found]


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for _, title in headings(page)}


def named(page: Path) -> Iterator[str]:
    """Files and folders of the project that stand in code spans, and modules behind `python -m`."""
    text = GENERATED.sub("", read(page))
    yield from re.findall(r"`((?:fixtures|tests|tools|docs|requirements|\.ci)/[\w./*-]+)`", text)
    for module in re.findall(r"python -m ((?:fixtures|tests|tools)[\w.]*)", text):
        path = module.replace(".", "/")
        yield f"{path}.py" if (ROOT / f"{path}.py").exists() else f"{path}/__main__.py"


def environments() -> set[str]:
    """Names of tox.ini's environments."""
    found = set()
    for section in re.findall(r"^\[testenv:(.+)\]$", read(ROOT / "tox.ini"), re.MULTILINE):
        parts = [part.split(",") for part in re.split(r"[{}]", section)]
        found |= {"".join(chosen) for chosen in product(*parts)}
    return found


def test_chinese_page_is_of_an_english_one() -> None:
    assert {page for page in DOCS if ".zh-CN" in page.name} <= set(CHINESE)


@pytest.mark.parametrize(("page", "twin"), [*zip(ENGLISH, CHINESE, strict=True)], ids=lambda page: page.stem)
def test_twins_have_the_same_sections_and_name_the_same_files_and_commands(page: Path, twin: Path) -> None:
    assert [level for level, _ in headings(page)] == [level for level, _ in headings(twin)]
    assert set(named(page)) == set(named(twin))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_to_files_and_sections(page: Path) -> None:
    dead = []
    for file, section in re.findall(r"\]\((?!https?://)([^)#]*)#?([^)]*)\)", FENCED.sub("", read(page))):
        target = page.parent / file if file else page
        if not target.exists() or (section and section not in anchors(target)):
            dead.append(f"{file}#{section}")
    assert dead == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_named_files_modules_and_environments_exist(page: Path) -> None:
    names = {name for name in named(page) if not PLACEHOLDER.search(name)}
    assert [name for name in sorted(names) if not any(ROOT.glob(name.rstrip("/")))] == []
    lists = re.findall(r"tox (?:run|exec) -e ([\w.,-]+)", GENERATED.sub("", read(page)))
    names = {name for found in lists for name in found.split(",") if not PLACEHOLDER.search(name)}
    assert names - environments() - {"unit"} == set()


def test_pages_of_options_name_every_option_and_suite() -> None:
    command = [sys.executable, "-m", "pytest", "--help"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    group = told.partition("\nacceptance of ")[2].partition("\n\n")[0]
    options = set(re.findall(r"^  (--[\w-]+)", group, re.MULTILINE))
    assert options, "there is no such group in the help"
    for text in (read(ROOT / "docs" / name) for name in ("options.md", "options.zh-CN.md")):
        assert {option for option in options if not re.search(rf"{option}(?![\w-])", text)} == set()
        assert {suite.mark for suite in suites().values() if not re.search(rf"\b{suite.mark}\b", text)} == set()
