"""Events survive the way to a line of JSON and back."""

from __future__ import annotations

import json

import pytest

from fixtures.evidence.events import KINDS, Entry, RunFinished, from_json, to_json
from tests.acceptance.entry_points.events import DoorTried
from tests.acceptance.ladder.unit import synthetic as synthetic_ladder
from tests.acceptance.performance.events import PerformanceMeasured
from tests.unit.report import synthetic


def test_every_kind_of_event_comes_back_the_same() -> None:
    door = Entry(1.0, "now", DoorTried("doors.tunnel", "ssh -CNg -L 1:127.0.0.1:1", "seen", 1.5, vram_mib=34735))
    loaded = Entry(2.0, "now", PerformanceMeasured({"name": "bf16-0.4", "loads": [{"load": "8 at a time"}]}))
    log = [*synthetic.entries(), *synthetic.entries(synthetic_ladder.events()), door, loaded]
    assert {type(entry.event).__name__ for entry in log} == set(KINDS)
    for entry in log:
        assert from_json(json.loads(json.dumps(to_json(entry)))) == entry


def test_a_line_of_another_schema_is_an_error() -> None:
    line = to_json(Entry(1.0, "now", RunFinished(0, 15)))
    with pytest.raises(KeyError):
        from_json({**line, "kind": "Unheard"})
    with pytest.raises(TypeError):
        from_json({**line, "more": 1})
