"""The report is wholly in one language: whatever a person is told of the run is an id with values, told late."""

import re
from dataclasses import fields, replace

import pytest

from fixtures import texts
from fixtures.evidence.events import Event
from fixtures.report.console import lines
from fixtures.report.page import standalone
from fixtures.report.post import post
from fixtures.report.summary import RunSummary, summarize
from fixtures.texts import Texts, message
from tests.unit.report import synthetic
from tests.unit.report.conftest import shown

WORDS = re.compile("[A-Za-z\u4e00-\u9fff]+")
TOLD = message("test.told", n=1).as_json()
NO_LANGUAGE = {*WORDS.findall("GiB MiB s min ms t GPU VRAM Python Memory Usage Driver CUDA POST HTTP lmdeploy false")}
"""Units, names of products and protocols, what nvidia-smi prints, and pytest's own words."""


def as_messages(event: Event) -> Event:
    """The event with a message in every field that a person is told, where it says something."""
    said = {"Told": TOLD, "list[Told]": [TOLD, TOLD]}
    changes = {
        field.name: said[str(field.type)]
        for field in fields(event)
        if field.type in said and (getattr(event, field.name) or field.name == "findings")
    }
    return replace(event, **changes)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> RunSummary:
    """A failing run in which whatever is told is a message, while every text and title is marked as one."""
    marked = {id_: {name: f"⟦{one}⟧" for name, one in text.items()} for id_, text in texts.catalogue().items()}
    marked["test.told"] = {"zh": "⟦说 {n}⟧", "en": "⟦said {n}⟧"}
    monkeypatch.setattr(texts, "catalogue", lambda _word: marked)
    monkeypatch.setattr("fixtures.run.claims.Claim.title", lambda _claim, _texts: "⟦title⟧")
    log = synthetic.failing("tools", TOLD)
    return summarize([replace(entry, event=as_messages(entry.event)) for entry in log])


def strangers(found: list[str], run: RunSummary) -> list[str]:
    """Texts that are neither marked nor made of what the run recorded as it was."""
    recorded = set(WORDS.findall(repr([entry.event for entry in run.entries]).replace("\\n", " "))) | NO_LANGUAGE
    return [
        text
        for text in found
        if "⟦" not in text and not text.startswith("{") and not set(WORDS.findall(text)) <= recorded
    ]


def test_page_post_and_console_say_nothing_but_texts(told: RunSummary) -> None:
    found = shown(standalone(told, Texts("en")))
    assert len(found) > 100
    assert strangers(found, told) == []
    written = [*post(told, Texts("en"), []).splitlines(), *(line.text for line in lines(told, Texts("en"), [], 200))]
    assert strangers([line for line in written if not line.startswith("```")], told) == []


def test_each_told_field_is_told_on_the_page(told: RunSummary) -> None:
    page = standalone(told, Texts("zh"))
    assert "⟦说 1⟧" in page
    assert "said" not in page
    assert "test.told" not in page.replace("&quot;test.told&quot;", "")
