"""docs/conformance.md: what each version lacks of each protocol, and which routes its key does not guard."""

from collections.abc import Mapping
from typing import Any

from tests.acceptance.conformance.rows import ROWS
from tools.tables import Place, markdown


def rows(record: Mapping[str, Any], place: Place) -> str:
    """Make a row for each request, a column for each version, and beneath them what was not as documented."""
    columns, notes = record["columns"], dict[str, int]()

    def cell(tried: Mapping[str, Any] | None) -> str:
        if tried is None:
            return "–"
        numbers = [str(notes.setdefault(one, len(notes) + 1)) for one in tried["lacks"]]
        return f"✗ {' '.join(numbers)}" if numbers else "✓"

    body = [
        [
            f"`{row.path}` {getattr(row, place.language)}",
            *(cell(column["rows"].get(row.id)) for column in columns.values()),
        ]
        for row in ROWS
    ]
    listed = "\n".join(f"{number}. `{lack}`" for lack, number in notes.items())
    return f"{place.origin(record)} {place.raw()}\n\n{markdown(['', *columns], body)}\n\n{listed}"


def open_routes(record: Mapping[str, Any], place: Place) -> str:
    """Make a row for each version: how many routes ask for the key, and which do not."""
    told = [
        [version, str(len(column["guarded"])), place.listed(f"`{route}`" for route in column["open"])]
        for version, column in record["columns"].items()
        if column["open"] is not None
    ]
    return markdown(["lmdeploy", place.say("conformance.guarded"), place.say("conformance.open")], told)
