"""Makers of the generated parts of docs/, one module for each page: pure functions of a record and its file's stem."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))


def origin(record: Mapping[str, Any]) -> str:
    """Where and when a record was made, and how to make it again."""
    on = record["gpu"] or record["platform"]
    lmdeploy = f", lmdeploy {found}" if (found := record["versions"].get("lmdeploy")) else ""
    return f"`{record['command']}`\non {on}{lmdeploy}, {record['date'][:10]}:"
