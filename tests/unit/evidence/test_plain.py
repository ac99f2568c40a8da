"""Whatever a value is made of, its text is changed, and it comes out as JSON can hold it, to a depth that ends."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
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


OfNumpy = type("OfNumpy", (), {"__module__": "numpy", "tolist": lambda _: ["sk-secret"]})


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (Key.OF_RUN, "SK-SECRET"),
        (Holder("sk-secret"), {"name": "SK-SECRET"}),
        (Holder(Holder(Key.OF_RUN)), {"name": {"name": "SK-SECRET"}}),
        ({"key": ["sk-secret", ("sk-secret",)]}, {"KEY": ["SK-SECRET", ["SK-SECRET"]]}),
        ({"b", 1, "a"}, ["A", "B", 1]),
        (Listed(), "LISTED"),
        (OfNumpy(), ["SK-SECRET"]),
        (Holder, repr(Holder).upper()),
    ],
    ids=["enum", "dataclass", "nested", "mapping", "set of all kinds", "stranger", "numpy", "class"],
)
def test_text_is_changed_wherever_it_lies(value: Any, kept: Any) -> None:
    assert plain(value, str.upper) == kept


@pytest.mark.parametrize(
    "wrap", [lambda inner: [inner], lambda inner: {"x": inner}, Holder], ids=["list", "dict", "dataclass"]
)
def test_what_lies_too_deep_is_told_in_words(wrap: Any) -> None:
    def nested(levels: int) -> Any:
        value: Any = [1]
        for _ in range(levels):
            value = wrap(value)
        return value

    def innermost(value: Any) -> Any:
        while isinstance(value, (list, dict)) and value:
            value = value[0] if isinstance(value, list) else next(iter(value.values()))
        return value

    assert innermost(plain(nested(MAX_DEPTH), str)) == 1
    assert innermost(plain(nested(MAX_DEPTH + 1), str)) == "[1]"


def test_an_integer_is_kept_as_a_number_as_long_as_python_prints_it() -> None:
    longest = 2**MAX_INTEGER_BITS - 1
    assert plain(longest, str) == longest
    assert plain(longest + 1, str) == hex(longest + 1)
