"""docs/real-model.md: what it takes to make the models."""

from collections.abc import Mapping
from typing import Any

from tools.tables import Place


def table(record: Mapping[str, Any], place: Place) -> str:
    """Tell seconds, disk and memory by model."""
    told = place.table("real_model.made", ({**row, "date": row["date"][:10]} for row in record.values()))
    return f"{told}\n\n{place.raw()}"
