"""Whatever a value is made of, its text is changed, and it comes out as JSON can hold it, to a depth that ends."""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from fixtures.evidence.plain import MAX_DEPTH, MAX_INTEGER_BITS, plain


class Key(Enum):
    OF_RUN = "sk-secret"


@dataclass
class Holder:
    name: Any


class Listed:
    """Not numpy's, though it can be listed."""

    def tolist(self) -> str:
        return "never asked"

    def __repr__(self) -> str:
        return "listed"


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError


OfNumpy = type("OfNumpy", (), {"__module__": "numpy", "tolist": lambda _: ["sk-secret"]})
ENDLESS: list[Any] = []
ENDLESS.append(ENDLESS)
LONGEST = 2**MAX_INTEGER_BITS - 1


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (Key.OF_RUN, "SK-SECRET"), (Holder(Holder(Key.OF_RUN)), {"name": {"name": "SK-SECRET"}}),
        ({"key": ["sk-secret", ("sk-secret",)]}, {"KEY": ["SK-SECRET", ["SK-SECRET"]]}),
        ({1: float("nan"), None: {"x": float("inf")}}, {"1": "NaN", "NONE": {"X": "Infinity"}}),
        ({"b", 1, "a"}, ["A", "B", 1]), (Listed(), "LISTED"), (OfNumpy(), ["SK-SECRET"]),
        (Holder, repr(Holder).upper()),
        (Broken(), "<BROKEN: RUNTIMEERROR IN REPR>"), (Path("a/b"), "A/B"), (b"\xff\x00", "\ufffd\x00"),
        ("\ud800 \u2028", "\ud800 \u2028"), (True, True), (LONGEST, LONGEST), (LONGEST + 1, hex(LONGEST + 1)),
    ],
    ids=["enum", "nested", "mapping", "no numbers", "set of all kinds", "stranger", "numpy", "class", "broken", "path",
         "bytes", "separators", "truth", "longest", "too long"],
)  # fmt: skip
def test_text_is_changed_wherever_it_lies(value: Any, kept: Any) -> None:
    found = plain(value, str.upper)
    assert (found, type(found)) == (kept, type(kept))


@pytest.mark.parametrize("wrap", [lambda item: [item], lambda item: {"x": item}, Holder], ids=["list", "dict", "class"])
def test_what_lies_too_deep_is_told_in_words(wrap: Any) -> None:
    def nested(levels: int) -> Any:
        return wrap(nested(levels - 1)) if levels else [1]

    assert "'" not in str(plain(nested(MAX_DEPTH), str)).replace("'x'", "").replace("'name'", "")
    assert "'[1]'" in str(plain(nested(MAX_DEPTH + 1), str))


def test_endless_list_ends() -> None:
    assert "[...]" in str(plain(ENDLESS, str))
