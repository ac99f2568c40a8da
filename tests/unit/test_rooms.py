"""The order of the rooms, as docs/architecture.md draws it: a room imports what stands below it, and nothing above."""

from __future__ import annotations

import ast
from collections.abc import Iterator
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


def rooms() -> list[str]:
    return sorted(folder.name for folder in FIXTURES.iterdir() if (folder / "__init__.py").exists())


def imported(file: Path) -> Iterator[tuple[str, int]]:
    """Modules that a file imports anywhere in it, with the line; programs (`__main__.py`) may import any room."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)


def modules(folder: Path) -> list[Path]:
    return [file for file in sorted(folder.rglob("*.py")) if file.name != "__main__.py"]


def test_every_room_has_a_place_in_the_order() -> None:
    assert sorted(ORDER) == rooms()


@pytest.mark.parametrize("room", ORDER)
def test_room_imports_only_what_stands_below_it(room: str) -> None:
    allowed = ORDER[: ORDER.index(room) + 1]
    wrong = [
        f"{file.relative_to(ROOT)}:{line} imports {name}"
        for file in modules(FIXTURES / room)
        for name, line in imported(file)
        if name.split(".")[0] in ("tests", "tools")
        or (name.startswith("fixtures.") and name.split(".")[1] in rooms() and name.split(".")[1] not in allowed)
    ]
    assert wrong == []


def test_modules_on_top_import_no_room() -> None:
    wrong = [
        f"{file.name}:{line} imports {name}"
        for file in FIXTURES.glob("*.py")
        for name, line in imported(file)
        if name.split(".")[0] in ("tests", "tools") or (name.startswith("fixtures.") and name.split(".")[1] in rooms())
    ]
    assert wrong == []


def test_at_most_five_modules_lie_flat_on_top() -> None:
    assert len([file for file in FIXTURES.glob("*.py") if file.name != "__init__.py"]) <= 5
