"""The order of the rooms, as docs/architecture.md draws it: a room imports what stands below it, and nothing above."""

import ast
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
FIXTURES: Final = ROOT / "fixtures"

ORDER: Final = (
    "evidence", "run", "process", "gpu", "lmdeploy", "standin", "model", "server", "client", "judge", "ask", "session",
    "report", "doctor", "plan", "rehearsal",
)  # fmt: skip
"""From the ground up; the modules flat in `fixtures/` are below all of them."""


ROOMS: Final = {folder.name for folder in FIXTURES.iterdir() if (folder / "__init__.py").exists()}


def imports(files: Iterable[Path]) -> Iterator[tuple[str, str]]:
    """Yield what the modules import, by its dotted name, each with the place where it stands."""
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                module = f"{node.module or ''}." if isinstance(node, ast.ImportFrom) else ""
                for alias in node.names:
                    yield f"{file.relative_to(ROOT)}:{node.lineno}", f"{module}{alias.name}"


def wrong(files: Iterable[Path], allowed: Collection[str]) -> list[tuple[str, str]]:
    """Imports of a room that is not allowed, or of what is no room; programs (`__main__.py`) may import any room."""
    others = tuple(f"fixtures.{room}." for room in ROOMS.difference(allowed))
    modules = (file for file in files if file.name != "__main__.py")
    return [found for found in imports(modules) if f"{found[1]}.".startswith(("tests.", "tools.", *others))]


def test_every_room_has_a_place_in_the_order() -> None:
    assert sorted(ORDER) == sorted(ROOMS)


@pytest.mark.parametrize("room", ORDER)
def test_room_imports_only_what_stands_below_it(room: str) -> None:
    assert wrong((FIXTURES / room).rglob("*.py"), ORDER[: ORDER.index(room) + 1]) == []


def test_modules_on_top_are_at_most_five_and_import_no_room() -> None:
    modules = [file for file in FIXTURES.glob("*.py") if file.name != "__init__.py"]
    assert len(modules) <= 5
    assert wrong(modules, ()) == []
