"""Makers of the generated parts of docs/, one module for each page: pure functions of a record, its file's stem and the
page's language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

Words = TypeVar("Words", str, Sequence[str])


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Make a Markdown table."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))


def either(language: str, zh: Words, en: Words) -> Words:
    """Choose the words of the page's language."""
    return zh if language == "zh" else en


def raw(stem: str, language: str) -> str:
    """Link to the record itself."""
    return f"[{either(language, '原始数据', 'raw data')}](records/{stem}.json)"


def origin(record: Mapping[str, Any], language: str) -> str:
    """Tell where and when a record was made, and how to make it again."""
    on = record["gpu"] or record["platform"]
    lmdeploy = [f"lmdeploy {found}"] if (found := record["versions"].get("lmdeploy")) else []
    told = [on, *lmdeploy, record["date"][:10]]
    return f"`{record['command']}`\n{either(language, '，'.join(told) + '：', 'on ' + ', '.join(told) + ':')}"


def of(k: int, n: int, language: str) -> str:
    """Tell k of n."""
    return either(language, f"{k} / {n}", f"{k} of {n}")
