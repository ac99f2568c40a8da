"""The record of reported mistakes is of the catalogue as it is, and says for each what the catalogue expects."""

import json

from tests.mistakes.catalogue import MISTAKES
from tools.records import RECORDS

CASES = json.loads((RECORDS / "mistakes.json").read_text(encoding="utf-8"))["cases"]


def test_every_mistake_is_recorded_and_named_as_the_catalogue_says() -> None:
    assert [(case["id"], case["source"]) for case in CASES] == [(each.id, each.source) for each in MISTAKES]
    assert {case["id"] for case in CASES if case["named"]} == {each.id for each in MISTAKES if each.since}


def test_the_record_shows_nothing_of_the_machine_that_made_it() -> None:
    assert not [case["id"] for case in CASES if "pytest-of-" in case["said"] or "python -u" in case["said"]]


def test_every_mistake_has_a_source_and_words() -> None:
    assert not [each.id for each in MISTAKES if each.words and not each.source.startswith("https://github.com/")]
