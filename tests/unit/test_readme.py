"""The README names what there is, in both languages, and links to nothing that is not there."""

import re
from pathlib import Path

import pytest

from fixtures.markers import OFF_BY_DEFAULT
from fixtures.options import OPTIONS, OUTPUT

ROOT = Path(__file__).parents[2]
READMES = [ROOT / "README.md", ROOT / "README.zh-CN.md"]
PAGES = [*READMES, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
OF_THE_SUITE = {"browser", "rehearsal", "faults", "nightly", "cluster"}
"""Marks of the suite's own tests."""


@pytest.mark.parametrize("readme", READMES, ids=lambda readme: readme.stem)
def test_every_option_and_every_mark_is_named(readme: Path) -> None:
    text = readme.read_text(encoding="utf-8")
    wanted = [option.command_line for option in (*OPTIONS, *OUTPUT)] + ["--doctor"]
    assert [option for option in wanted if not re.search(rf"{option}(?![\w-])", text)] == []
    assert [mark for mark in OFF_BY_DEFAULT - OF_THE_SUITE if not re.search(rf"-m [^`]*\b{mark}\b", text)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_both_languages_have_the_same_options_and_commands() -> None:
    options, commands = ([re.findall(pattern, page.read_text(encoding="utf-8")) for page in READMES] for pattern in (
        r"(?m)^\| `(--[\w-]+)`", r"(?m)^\| `((?:pytest|tox)[^`]*?)(?: --base-url[^`]*)?`"))  # fmt: skip
    assert sorted(options[0]) == sorted(options[1])
    assert sorted(commands[0]) == sorted(commands[1])
