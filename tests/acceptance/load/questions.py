"""The questions: each carries two numbers and a word that no other has, so that a reply tells whose it is."""

from dataclasses import asdict, dataclass
from functools import cached_property
from random import Random
from typing import Any, Final

from fixtures.ask.questions import CALL_TOKENS, GREEDY
from fixtures.ask.story import MESSAGES
from fixtures.client.answer import Answer
from fixtures.client.tools import FUNCTIONS, TOOLS
from fixtures.homework import SAMPLING
from fixtures.judge.profile import SEED
from fixtures.judge.tool_calls import right_call_fault

KINDS: Final = ("add", "mul", "add", "echo")
"""In turn. The stand-in does not know how to echo: to it these are neighbours that a leak would show in."""
ECHO_TOKENS: Final = 32
CONSONANTS: Final = "bcdfghjklmnpqrstvwxz"
"""Eight of them are a word of no language, and of no other question."""
NUMBERS: Final = range(100, 1000)
LONG_TOKENS: Final = 64
"""Of the answer to a long prompt, and of the beginning of a story."""
STORY: Final = "story"


@dataclass(frozen=True)
class Question:
    """`a` and `b` for the tools, or a word to be echoed. Not judged are a long neighbour, which has a `filler`, and a
    story at the homework's sampling, whose seed follows from its number.

    :param how: it is asked: `whole`, `streamed`, or `cut` in mid-stream.
    """

    number: int
    kind: str
    a: int = 0
    b: int = 0
    word: str = ""
    filler: str = ""
    how: str = "whole"

    @cached_property
    def request(self) -> dict[str, Any]:
        """Fields of the request. The token ids are asked for as well: versions that do not know them ignore it."""
        if self.kind in FUNCTIONS:
            sign = FUNCTIONS[self.kind][1]
            own: dict[str, Any] = {
                "text": f"Compute {self.a}{sign}{self.b}",
                "tools": list(TOOLS),
                "max_tokens": CALL_TOKENS,
            }
        elif self.kind == STORY:
            fields = {"max_tokens": LONG_TOKENS, "seed": SEED + self.number, **asdict(SAMPLING)}
            return {"messages": list(MESSAGES), **fields, "return_token_ids": True}
        elif self.filler:
            own = {"text": self.filler, "max_tokens": LONG_TOKENS, "ignore_eos": True}
        else:
            own = {"text": f"Repeat this word and say nothing else: {self.word}", "max_tokens": ECHO_TOKENS}
        messages = [{"role": "user", "content": own.pop("text")}]
        return {"messages": messages, **own, **asdict(GREEDY), "return_token_ids": True}

    @property
    def numbers(self) -> frozenset[int]:
        """What its own reply may name."""
        return frozenset({self.a, self.b, self.a + self.b, self.a * self.b})

    def is_answered(self, answer: Answer) -> bool:
        """Whether an answer is right."""
        if self.kind in FUNCTIONS:
            return right_call_fault(answer, (self.kind, self.a, self.b)) is None
        return bool(self.word) and self.word in answer.text.lower()


def drawn(count: int) -> list[Question]:
    """Draw the questions; no number and no word occurs in two of them. Raises ValueError for more than 450."""
    rng = Random(f"{SEED} load")
    numbers = rng.sample(NUMBERS, 2 * count)
    kinds = [KINDS[number % len(KINDS)] for number in range(count)]
    words = ["".join(rng.choices(CONSONANTS, k=8)) for _ in kinds]
    pairs = zip(numbers[::2], numbers[1::2], strict=True)
    return [
        Question(number, kind, word=word) if kind == "echo" else Question(number, kind, *pair)
        for number, (kind, word, pair) in enumerate(zip(kinds, words, pairs, strict=True))
    ]
