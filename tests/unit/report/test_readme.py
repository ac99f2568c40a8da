"""The README names what there is, in both languages, and links to nothing that is not there."""

import re
from pathlib import Path

import pytest

from fixtures.run.options import OPTIONS, OUTPUT
from fixtures.suites import suites
from fixtures.texts import LANGUAGES, catalogue
from tests.unit.waiting import ROOT

READMES = [ROOT / "README.md", ROOT / "README.zh-CN.md"]
PAGES = [*READMES, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("readme", READMES, ids=lambda readme: readme.stem)
def test_every_option_and_every_suite_is_named(readme: Path) -> None:
    text = readme.read_text(encoding="utf-8")
    wanted = [option.command_line for option in (*OPTIONS, *OUTPUT)] + ["--doctor"]
    assert [option for option in wanted if not re.search(rf"{option}(?![\w-])", text)] == []
    assert [one.id for one in suites().values() if not re.search(rf"-m [^`]*\b{one.mark}\b", text)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_both_languages_have_the_same_options_commands_sections_and_links() -> None:
    chinese, english = (_content(page.read_text(encoding="utf-8")) for page in READMES)
    assert chinese == english


def _content(text: str) -> dict[str, list[str]]:
    command = (
        r"(?m)^\| `((?:pytest|\.venv/bin/tox)[^`]*?|python -m [\w.]+(?: [a-z]+)?)(?: --base-url[^`]*| [^`a-z][^`]*)?`"
    )
    return {
        "options": re.findall(r"(?m)^\| `(--[\w-]+)`", text),
        "commands": re.findall(command, text),
        "levels": re.findall(r"(?m)^(#+) ", text),
        "links": sorted(set(re.findall(r"\]\(([^)#]+)", text)) - {"README.md", "README.zh-CN.md"}),
        "claims": [str(len(re.findall(r"(?m)^\| ", text)))],
    }


@pytest.mark.parametrize("readme", READMES, ids=lambda readme: readme.stem)
def test_sections_that_it_explains_are_those_of_the_report(readme: Path) -> None:
    language = LANGUAGES[0 if "zh" in readme.stem else 1]
    explained = re.findall(r"\*\*(.+?)\*\*", readme.read_text(encoding="utf-8"))
    texts = tuple(text[language] for text in catalogue().values())
    assert [words for words in explained if not any(text.startswith(words) for text in texts)] == []


@pytest.mark.parametrize("readme", READMES, ids=lambda readme: readme.stem)
def test_defaults_are_those_of_help(readme: Path) -> None:
    said: dict[str, str] = {}
    for names, defaults in re.findall(r"(?m)^\| (`--[^|]+) \| ([^|]+) \|", readme.read_text(encoding="utf-8")):
        options, values = re.findall(r"--[\w-]+", names), [value.strip("` ") for value in re.split("[、,]", defaults)]
        if len(options) == len(values):  # else one word stands for several
            said |= dict(zip(options, values, strict=True))
    # The rest have no value but a word for none.
    valued = [option for option in (*OPTIONS, *OUTPUT) if option.default is not None and not option.flag]
    shown = {option.command_line: option.shown_default for option in valued if option.name != "vram_pattern"}
    assert {name: said.get(name) for name in shown} == shown
