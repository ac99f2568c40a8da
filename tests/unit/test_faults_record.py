"""The table of faults is what its record says; the record may be older than the catalogue, and says its date."""

import json

from tests.faults.catalogue import FAULTS
from tests.faults.record import RECORD, TABLE, cell, table

RECORDED = json.loads(RECORD.read_text(encoding="utf-8"))


def test_every_recorded_fault_was_caught_and_nothing_was_left() -> None:
    assert {fault["id"] for fault in RECORDED["faults"]} <= {fault.id for fault in FAULTS}
    assert all(fault["caught"] for fault in RECORDED["faults"])
    assert RECORDED["healthy_runs"] >= 50
    assert (RECORDED["false_alarms"], RECORDED["leftovers"]) == (0, 0)
    assert not [found["id"] for found in RECORDED["faults"] if "pytest-of-" in found["message"]]


def test_table_follows_from_the_record() -> None:
    assert TABLE.read_text(encoding="utf-8") == table(RECORDED)


def test_cell_shows_text_as_it_is() -> None:
    assert cell(r"a|b <|im_end|> `x` \y") == r"a\|b &lt;\|im\_end\|> \`x\` \\y"
