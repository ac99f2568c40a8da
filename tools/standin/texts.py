"""The generator's texts, from the TOML files beside this module: a key that ends in ``_zh`` or ``_en`` says in which
language."""

import sys
from pathlib import Path
from typing import Any, Final

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads(Path(__file__).with_name(f"{name}.toml").read_text(encoding="utf-8"))
    return found


PROBLEMS: Final = _read("problems")
SMALLTALK: Final = _read("smalltalk")
STORIES: Final = _read("stories")
MEMORY: Final = _read("memory_facts")
