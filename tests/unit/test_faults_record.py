"""The table of faults is what its record says, and the record is of the catalogue as it is."""

from __future__ import annotations

import json

import pytest

from tests.faults.catalogue import FAULTS
from tests.faults.record import BY_ID, RECORD, TABLE, cell, excerpt, table

RECORDED = json.loads(RECORD.read_text(encoding="utf-8"))


def test_every_fault_was_caught_and_nothing_was_left() -> None:
    assert [fault["id"] for fault in RECORDED["faults"]] == [fault.id for fault in FAULTS]
    assert all(fault["caught"] for fault in RECORDED["faults"])
    assert RECORDED["healthy_runs"] >= 50
    assert (RECORDED["false_alarms"], RECORDED["leftovers"]) == (0, 0)


def test_the_record_says_what_the_catalogue_says() -> None:
    for found in RECORDED["faults"]:
        fault = BY_ID[found["id"]]
        assert (found["layer"], found["claim"]) == (fault.layer, fault.claim)
        assert found["seconds"] <= fault.within
        assert all(word in found["message"] for word in fault.words)


def test_the_record_shows_no_folder_of_the_machine_that_made_it() -> None:
    assert not [found["id"] for found in RECORDED["faults"] if "pytest-of-" in found["message"]]


def test_the_table_follows_from_the_record() -> None:
    assert TABLE.read_text(encoding="utf-8") == table(RECORDED)


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a|b", r"a\|b"), ("<|im_end|>", r"&lt;\|im\_end\|>"), ("`x`", r"\`x\`"), ("a\\b", r"a\\b")],
)
def test_a_cell_shows_text_as_it_is(text: str, shown: str) -> None:
    assert cell(text) == shown


def test_an_excerpt_has_the_first_line_and_the_words() -> None:
    assert excerpt("first\nsecond\nthe third one", ("third",)) == "first … the third one"
