"""Things a user may tell and later ask for, and the words for them; the data lie in `memory_facts.toml`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final, NamedTuple

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class Fact(NamedTuple):
    """One kind of fact; ``{v}`` stands for its value."""

    kind: str
    tell_zh: tuple[str, ...]
    noted_zh: str
    ask_zh: tuple[str, ...]
    answer_zh: str
    tell_en: tuple[str, ...]
    noted_en: str
    ask_en: tuple[str, ...]
    answer_en: str


_DATA: Final = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))

HANZI: Final[str] = _DATA["hanzi"]
SURNAMES: Final[str] = _DATA["surnames"]
NAMES_EN: Final[list[str]] = _DATA["names_en"]
ONSETS: Final[list[str]] = _DATA["onsets"]
NUCLEI: Final[list[str]] = _DATA["nuclei"]
CODAS: Final[list[str]] = _DATA["codas"]
"""Parts of made-up Latin names."""
COLOURS: Final[dict[str, str]] = _DATA["colours"]
CITIES: Final[dict[str, str]] = _DATA["cities"]
FOODS: Final[dict[str, str]] = _DATA["foods"]
FACTS: Final = tuple(Fact(**fact) for fact in _DATA["facts"])
