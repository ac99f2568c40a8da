"""The questions that the programs about the KV cache ask, on a GPU and on the CPU, and how their answers are judged."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

LONGEST: Final = 96
"""Tokens of one reply: a call takes about 40."""

SUMS: Final = ((3, 5), (40, 2), (66, 7), (5, 9), (70, 8))
PRODUCTS: Final = ((8, 2), (12, 11), (25, 4), (6, 14), (19, 3))


@dataclass(frozen=True)
class Question:
    """A question that one right call answers."""

    kind: str
    text: str
    name: str
    a: int
    b: int


QUESTIONS: Final = (
    *(Question("add", f"Compute {a}+{b}", "add", a, b) for a, b in SUMS),
    *(Question("mul", f"Compute {a}*{b}", "mul", a, b) for a, b in PRODUCTS),
    *(Question("zh", f"请用工具计算 {a} 加 {b}", "add", a, b) for a, b in SUMS[:2]),
)


def right(question: Question, calls: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the calls of a message are the one call that the question wants."""
    with suppress(ValueError, LookupError, TypeError):
        (call,) = calls
        wanted = {"a": question.a, "b": question.b}
        return bool(call["function"]["name"] == question.name and json.loads(call["function"]["arguments"]) == wanted)
    return False


def share(replies: Sequence[Mapping[str, Any]]) -> dict[str, list[int]]:
    """Count the right ones of each kind: `[k, n]`."""
    marks = {kind: [one["right"] for one in replies if one["kind"] == kind] for kind in ("add", "mul", "zh")}
    return {kind: [sum(own), len(own)] for kind, own in marks.items()}
