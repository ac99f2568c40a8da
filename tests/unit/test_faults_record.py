"""The table of faults is what its record says, and the record is of the catalogue as it is."""

from __future__ import annotations

import json

from tests.faults.catalogue import FAULTS
from tests.faults.record import BY_ID, RECORD, TABLE, cell, table

RECORDED = json.loads(RECORD.read_text(encoding="utf-8"))


def test_every_fault_was_caught_and_nothing_was_left() -> None:
    assert [fault["id"] for fault in RECORDED["faults"]] == [fault.id for fault in FAULTS]
    assert all(fault["caught"] for fault in RECORDED["faults"])
    assert RECORDED["healthy_runs"] >= 50
    assert (RECORDED["false_alarms"], RECORDED["leftovers"]) == (0, 0)


def test_record_says_what_the_catalogue_says() -> None:
    for found in RECORDED["faults"]:
        fault = BY_ID[found["id"]]
        assert (found["layer"], found["claim"]) == (fault.layer, fault.claim)
        assert found["seconds"] <= fault.within
        assert all(word in found["message"] for word in fault.words)
        assert "pytest-of-" not in found["message"], "a folder of the machine that made it"


def test_table_follows_from_the_record() -> None:
    assert TABLE.read_text(encoding="utf-8") == table(RECORDED)


def test_cell_shows_text_as_it_is() -> None:
    assert cell(r"a|b <|im_end|> `x` \y") == r"a\|b &lt;\|im\_end\|> \`x\` \\y"
