"""Every message that a judgement, a question or the client may come to has a text, with the fields that are given."""

import ast
import string
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

import fixtures
from fixtures.judge.verdict import State
from fixtures.texts import LANGUAGES, catalogue

ROOMS = Path(fixtures.__file__).parent
FILES = [file for room in ("client", "judge", "ask") for file in sorted((ROOMS / room).glob("*.py"))]


def messages(file: Path) -> Iterator[tuple[str, set[str] | None]]:
    """Literal ids and names of fields; None where some of the fields are not written out."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.id if isinstance(node.func, ast.Name) else ""
            names = {keyword.arg for keyword in node.keywords if keyword.arg}
            fields = None if any(keyword.arg is None for keyword in node.keywords) else names
            if called == "message":
                yield str(node.args[0].value), fields
            elif called == "RequestError" and file.name != "load.py":
                yield f"error.{node.args[0].value}.what", fields and fields - {"where", "detail"}
            elif called == "Unreadable":
                yield f"exchange.{node.args[0].value}", fields


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_message_has_a_text_with_its_fields(file: Path) -> None:
    for id_, fields in messages(file):
        for language in LANGUAGES:
            wanted = places(catalogue()[id_][language])
            assert fields is None or wanted == fields, id_


def test_reason_that_is_put_together_has_a_text() -> None:
    states = set(get_args(State)) - {"passed", "needs_gpu"}
    codes = {f"claim_{state}" for state in states} | {"model_random", "model_unknown"}
    assert {f"reason.{code}" for code in codes} <= set(catalogue())
