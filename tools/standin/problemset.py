"""The evaluation's problems: drawn from their own seed, with operands that training never saw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from fixtures.ask.held_out import held_out_numbers
from tools.standin import problems
from tools.standin.arithmetic import plan
from tools.standin.dialogue import Call
from tools.standin.dialogues import EVALUATION_SEED
from tools.standin.problems import Form


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


def _chain(rng: Random) -> Problem:
    values = _values(rng, problems.SUM_TIMES, _unseen)
    return Problem("Compute ({a}+{b})*{c}".format(**values), plan(problems.SUM_TIMES, values))


def _chain_zh(rng: Random) -> Problem:
    values = _values(rng, problems.SUM_TIMES, _unseen)
    return Problem("计算({a}+{b})*{c}".format(**values), plan(problems.SUM_TIMES, values))


def _single(rng: Random) -> Problem:
    form = rng.choice((problems.SUM, problems.PRODUCT))
    values = _values(rng, form, _unseen)
    return Problem("What is {a} {s} {b}?".format(**values, s=form.pattern[1]), plan(form, values))


def _one_tool(rng: Random) -> Problem:
    problem = _single(rng)
    return replace(problem, offered=(problem.calls[0].name,))


def _words(rng: Random) -> Problem:
    chinese = rng.random() < 0.5
    form, wording = rng.choice(problems.WORDS_ZH if chinese else problems.WORDS_EN)
    people = rng.sample(problems.PEOPLE_ZH if chinese else problems.PEOPLE_EN, 2)
    things = rng.sample(problems.THINGS_ZH if chinese else problems.THINGS_EN, 2)
    box = rng.choice(problems.BOXES_ZH if chinese else problems.BOXES_EN)
    values = _values(rng, form, _unseen)
    text = wording.format(**values, n=people[0], m=people[1], i=things[0], j=things[1], p=box)
    return Problem(text, plan(form, values))


def _large(rng: Random) -> Problem:
    values = _values(rng, problems.SUM_TIMES, _wide)
    written = {letter: f"({number})" if number < 0 else str(number) for letter, number in values.items()}
    return Problem("Compute ({a}+{b})*{c}".format(**written), plan(problems.SUM_TIMES, values))


def _forms(rng: Random) -> Problem:
    form = rng.choice((problems.TIMES_SUM, problems.PRODUCT_PLUS, problems.PLUS_PRODUCT))
    values = _values(rng, form, _unseen)
    written = "".join(str(values.get(sign, sign)) for sign in form.pattern)
    return Problem(f"Compute {written}", plan(form, values))


TASKS: dict[str, Callable[[Random], Problem]] = {
    "chain": _chain,
    "chain-zh": _chain_zh,
    "single": _single,
    "one-tool": _one_tool,
    "words": _words,
    "large": _large,
    "forms": _forms,
}
"""By name: ``chain`` is the homework's (a+b)*c; ``large`` has up to six digits and negative numbers;
``one-tool`` is ``single`` with only the tool that it needs."""


def problem_set(task: str, count: int) -> list[Problem]:
    """The task's first ``count`` problems, the same on every machine."""
    rng = Random(f"{EVALUATION_SEED} {task}")
    return [TASKS[task](rng) for _ in range(count)]
