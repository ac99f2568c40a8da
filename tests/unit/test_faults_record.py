"""The record of faults is of the catalogue, whose faults were all caught; it may be older, and says its date."""

from tests.faults.catalogue import FAULTS
from tools.records import RECORDS, read
from tools.tables.faults import cell


def test_every_recorded_fault_was_caught_and_nothing_was_left() -> None:
    recorded = read(RECORDS / "faults.json")
    assert {fault["id"] for fault in recorded["faults"]} <= {fault.id for fault in FAULTS}
    assert all(fault["caught"] for fault in recorded["faults"])
    assert recorded["healthy_runs"] >= 50
    assert (recorded["false_alarms"], recorded["leftovers"]) == (0, 0)
    assert not [found["id"] for found in recorded["faults"] if "pytest-of-" in found["message"]]


def test_cell_shows_text_as_it_is() -> None:
    assert cell(r"a|b <|im_end|> `x` \y") == r"a\|b &lt;\|im\_end\|> \`x\` \\y"
