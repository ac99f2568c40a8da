"""Topics that this suite alone asks about, and the names that a user tells. Pure: all follows from the seed."""

from dataclasses import replace
from random import Random
from typing import Final

from fixtures.ask.held_out import HELD_OUT_NAMES
from fixtures.ask.questions import Question, add, addition, asked, chain, multiply, product, unseen
from fixtures.client.tools import ADD, MUL
from fixtures.judge.profile import SEED
from fixtures.judge.tool_calls import Calls, Expected

DETERMINATE: Final = "从1数到20"
"""A question with one answer. At temperature 0 a story is no measure of repetition: where two continuations are nearly
as likely, the order of a GPU's sums decides (seen on an H100: the homework's story forks at its last sentence)."""

AT_ONCE: Final = (
    "Compute {}+{} and {}*{} at once",
    "Compute {}+{} and {}*{} in one turn.",
    "请同时调用工具计算{}+{}和{}*{}",
    "同时计算{}+{}和{}*{}",
)
"""Wordings that ask for both calls in one answer; the stand-in checkpoint makes them there and nowhere else."""

NOT_NEEDED: Final = (
    ("中国的首都是哪里？", "北京"),
    ("法国的首都是哪里？", "巴黎"),
    ("What is the capital of China?", "Beijing"),
    ("What is the capital of France?", "Paris"),
    ("天空是什么颜色的？", "蓝"),
    ("What colour is the sky?", "blue"),
)
"""Questions that no tool helps with, and a word that a right answer contains."""

ABOUT_TOOLS: Final = (
    "tool", "tools", "function", "functions", "add", "mul", "sum", "product", "multiply",
    "工具", "函数", "计算", "相加", "相乘", "加法", "乘法",
)  # fmt: skip
"""Words of a reply that cannot compute: the missing tool, or what is to be done."""


def name(drawn_for: str, number: int) -> str:
    """Draw a name to be told to the model in trial `number` and asked for later."""
    return Random(f"{SEED} {drawn_for} {number}").choice(HELD_OUT_NAMES)


def large(rng: Random) -> Question:
    """Draw operands of four to six digits, where a damaged model repeats or drops one."""
    a, b = (rng.randrange(10**3, 10**6) for _ in range(2))
    if rng.random() < 0.5:
        return asked(f"Compute {a}+{b}", addition(a, b))
    return asked(f"Compute {a}*{b}", product(a, b))


def negative(rng: Random) -> Question:
    """Draw an operand below zero, in front or in brackets."""
    a, b = unseen(rng, 2)
    forms: tuple[tuple[str, Calls], ...] = (
        (f"Compute -{a}+{b}", addition(-a, b)),
        (f"Compute {a}+(-{b})", addition(a, -b)),
        (f"Compute {a}*(-{b})", product(a, -b)),
        (f"计算{a}*(-{b})", product(a, -b)),
    )
    return asked(*rng.choice(forms))


def zero(rng: Random) -> Question:
    """Draw an operand that is zero and must be passed all the same; within a chain, so that the answer is a new
    number."""
    a, c = unseen(rng, 2)
    text, first = rng.choice(((f"Compute ({a}+0)*{c}", ("add", a, 0)), (f"Compute (0+{a})*{c}", ("add", 0, a))))
    return asked(text, (first, ("mul", a, c)))


def two_questions(rng: Random, wordings: tuple[str, ...] = ("Compute {}+{} and {}*{}", "计算{}+{}和{}*{}")) -> Question:
    """Draw two tasks in one request: both calls, in one turn or in two, in any order, and both results."""
    a, b, c, d = unseen(rng, 4)
    expected = Expected((*addition(a, b), *product(c, d)), final=c * d, names=(str(a + b),), any_order=True)
    return Question(rng.choice(wordings).format(a, b, c, d), expected)


def at_once(rng: Random) -> Question:
    """Draw two tasks that do not depend on one another: both calls belong into the first answer."""
    question = two_questions(rng, AT_ONCE)
    return replace(question, expected=replace(question.expected, one_turn=True))


def not_needed(rng: Random) -> Question:
    """Draw a question for which tools are offered and useless."""
    text, word = rng.choice(NOT_NEEDED)
    return Question(text, Expected(calls=(), names=(word,)))


def not_invented(rng: Random) -> Question:
    """Draw a question whose tool is not offered: it must not be called all the same.

    A model of random words calls nothing either, so the reply must be about the question or about tools.
    """
    a, b = unseen(rng, 2)
    sign, result, offered = ("*", a * b, ADD) if rng.random() < 0.5 else ("+", a + b, MUL)
    expected = Expected(calls=(), about=(str(a), str(b), str(result), *ABOUT_TOOLS))
    return Question(f"Compute {a}{sign}{b}", expected, tools=(offered,))


def replayed(rng: Random) -> Question:
    """Draw a chain with two questions, their calls and results in its history; only the chain is to be worked on."""
    before = [rng.choice((add, multiply))(rng) for _ in range(2)]
    solved = tuple((one.text, one.expected.calls, f"The answer is {one.expected.final}.") for one in before)
    return replace(chain(rng), solved=solved)
