"""Events survive the way to a line of JSON and back."""

from __future__ import annotations

import json

import pytest

from fixtures.evidence.events import Entry, RunFinished, from_json, to_json
from tests.unit.report import synthetic


def test_every_kind_of_event_comes_back_the_same() -> None:
    for entry in synthetic.entries():
        assert from_json(json.loads(json.dumps(to_json(entry)))) == entry


def test_a_line_of_another_schema_is_an_error() -> None:
    line = to_json(Entry(1.0, "now", RunFinished(0, 15)))
    with pytest.raises(KeyError):
        from_json({**line, "kind": "Unheard"})
    with pytest.raises(TypeError):
        from_json({**line, "more": 1})
