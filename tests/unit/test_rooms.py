"""The order of the rooms, as docs/architecture.md draws it: a room imports what stands below it, and nothing above."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
FIXTURES: Final = ROOT / "fixtures"

ORDER: Final = (
    "evidence", "run", "process", "gpu", "lmdeploy", "standin", "model", "server", "client", "judge", "ask", "session",
    "report", "doctor", "rehearsal",
)  # fmt: skip
"""From the ground up; the modules flat in `fixtures/` are below all of them."""


ROOMS: Final = {folder.name for folder in FIXTURES.iterdir() if (folder / "__init__.py").exists()}


def wrong(files: Iterable[Path], allowed: Collection[str]) -> list[str]:
    """Imports of a room that is not allowed, or of what is no room; programs (`__main__.py`) may import any room."""
    return [
        f"{file.relative_to(ROOT)}:{node.lineno} imports {name}"
        for file in files
        if file.name != "__main__.py"
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in (f"{getattr(node, 'module', None) or ''}.{alias.name}".lstrip(".") for alias in node.names)
        if name.startswith(("tests.", "tools."))
        or (name.startswith("fixtures.") and name.split(".")[1] in ROOMS and name.split(".")[1] not in allowed)
    ]


def test_every_room_has_a_place_in_the_order() -> None:
    assert sorted(ORDER) == sorted(ROOMS)


@pytest.mark.parametrize("room", ORDER)
def test_room_imports_only_what_stands_below_it(room: str) -> None:
    assert wrong((FIXTURES / room).rglob("*.py"), ORDER[: ORDER.index(room) + 1]) == []


def test_modules_on_top_are_at_most_five_and_import_no_room() -> None:
    modules = [file for file in FIXTURES.glob("*.py") if file.name != "__init__.py"]
    assert len(modules) <= 5
    assert wrong(modules, ()) == []
