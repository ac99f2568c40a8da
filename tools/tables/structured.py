"""docs/structured.md: what became of each schema, by lmdeploy version and model."""

from collections.abc import Mapping
from typing import Any

from fixtures.texts import Texts
from tests.acceptance.structured.cases import CASES, WAYS
from tools.tables import Place, markdown


def measured(record: Mapping[str, Any], place: Place) -> str:
    """Make a row for each schema and way, a column for each version and model."""
    texts, columns = Texts(place.language), record["columns"]
    found = {name: {(one["case"], one["way"]): one for one in column["tried"]} for name, column in columns.items()}
    rows = [
        [
            getattr(case, place.language),
            f"`{way}`",
            *(_cell(tried.get((case.id, way)), texts) for tried in found.values()),
        ]
        for case in CASES
        for way in WAYS
    ]
    table = markdown([texts.say("structured.case"), "", *found], rows)
    return f"{place.origin(record)} {place.raw()}\n\n{table}"


def _cell(tried: Mapping[str, Any] | None, texts: Texts) -> str:
    return texts.say(f"structured.{tried['outcome']}").partition("(")[0].partition("（")[0].strip() if tried else "–"
