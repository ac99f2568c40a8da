"""The evaluation's problems: drawn from their own seed, with operands that training never saw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from fixtures.ask.held_out import held_out_numbers
from tools.standin.dialogue import Call, Language
from tools.standin.dialogues import EVALUATION_SEED
from tools.standin.problems import FORMS, WORDS, Form, sample_cast


@dataclass(frozen=True)
class Problem:
    """A question, the calls that answer it in order, the tools offered, and the number that the final sentence must
    contain."""

    question: str
    calls: tuple[Call, ...]
    offered: tuple[str, ...] = ("add", "mul")

    @property
    def result(self) -> int:
        return self.calls[-1].result


def _values(rng: Random, form: Form, draw: Callable[[Random], int]) -> dict[str, int]:
    return {letter: draw(rng) for letter in "abcd" if letter in form.pattern}


def _unseen(rng: Random) -> int:
    return rng.choice(held_out_numbers())


def _wide(rng: Random) -> int:
    """Up to six digits, a third of them negative."""
    number = rng.randrange(10 ** rng.randint(1, 6))
    return -number if rng.random() < 1 / 3 else number


def _chain(rng: Random, asked: str = "Compute ", draw: Callable[[Random], int] = _unseen) -> Problem:
    form = FORMS["sum_times"]
    values = _values(rng, form, draw)
    written = {letter: f"({number})" if number < 0 else str(number) for letter, number in values.items()}
    return Problem(asked + "({a}+{b})*{c}".format(**written), form.calls(values))


def _single(rng: Random) -> Problem:
    form = rng.choice((FORMS["sum"], FORMS["product"]))
    values = _values(rng, form, _unseen)
    return Problem("What is {a} {s} {b}?".format(**values, s=form.pattern[1]), form.calls(values))


def _one_tool(rng: Random) -> Problem:
    problem = _single(rng)
    return replace(problem, offered=(problem.calls[0].name,))


def _words(rng: Random) -> Problem:
    language: Language = "zh" if rng.random() < 0.5 else "en"
    form, wording = rng.choice(WORDS[language])
    cast = sample_cast(rng, language)
    values = _values(rng, form, _unseen)
    return Problem(wording.format(**values, **cast), form.calls(values))


def _forms(rng: Random) -> Problem:
    form = FORMS[rng.choice(("times_sum", "product_plus", "plus_product"))]
    values = _values(rng, form, _unseen)
    written = "".join(str(values.get(sign, sign)) for sign in form.pattern)
    return Problem(f"Compute {written}", form.calls(values))


TASKS: Final[dict[str, Callable[[Random], Problem]]] = {
    "chain": _chain,
    "chain-zh": lambda rng: _chain(rng, "计算"),
    "single": _single,
    "one-tool": _one_tool,
    "words": _words,
    "large": lambda rng: _chain(rng, draw=_wide),
    "forms": _forms,
}
"""By name: ``chain`` is the homework's (a+b)*c; ``large`` has up to six digits and negative numbers;
``one-tool`` is ``single`` with only the tool that it needs."""


def problem_set(task: str, count: int) -> list[Problem]:
    """The task's first ``count`` problems, the same on every machine."""
    rng = Random(f"{EVALUATION_SEED} {task}")
    return [TASKS[task](rng) for _ in range(count)]
