"""The record of reported mistakes is of the catalogue as it is, and says of each what the catalogue expects."""

import json

from tests.mistakes.catalogue import MISTAKES
from tools.records import RECORDS


def test_every_mistake_is_recorded_and_named_as_the_catalogue_says() -> None:
    cases = json.loads((RECORDS / "mistakes.json").read_text(encoding="utf-8"))["cases"]
    assert [(case["id"], case["source"]) for case in cases] == [(each.id, each.source) for each in MISTAKES]
    assert {case["id"] for case in cases if case["named"]} == {each.id for each in MISTAKES if each.since}
    assert not [case["id"] for case in cases if "pytest-of-" in case["said"]]
    assert not [each.id for each in MISTAKES if each.words and not each.source.startswith("https://github.com/")]
