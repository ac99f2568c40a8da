"""Events survive the way to a line of JSON and back."""

from __future__ import annotations

import json

import pytest

from fixtures.evidence import events
from fixtures.evidence.events import KINDS, Entry, RunFinished, from_json, to_json
from tests.unit.report import synthetic


def test_every_kind_of_event_comes_back_the_same() -> None:
    log = synthetic.entries()
    own = {name for name, kind in KINDS.items() if kind.__module__ == events.__name__}
    assert own == {type(entry.event).__name__ for entry in log}
    for entry in log:
        assert from_json(json.loads(json.dumps(to_json(entry)))) == entry


@pytest.mark.parametrize(("change", "error"), [({"kind": "Unheard"}, KeyError), ({"more": 1}, TypeError)])
def test_line_of_another_schema_is_an_error(change: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        from_json({**to_json(Entry(1.0, "now", RunFinished(0, 15))), **change})
