"""What a healthy model would say: worked out from the conversation, sampled from a seed. Pure."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

Message = dict[str, Any]
Arguments = dict[str, Any]

OPERATION: Final = re.compile(r"\(?(-?\d+)\)?\s*([+*])\s*\(?(-?\d+)\)?")
CHAIN: Final = re.compile(r"\(\s*(-?\d+)\s*\+\s*\(?(-?\d+)\)?\s*\)\s*\*\s*\(?(-?\d+)\)?")
RESULT: Final = re.compile(r"=\s*(-?\d+)\s*$")
NAMES: Final = {"+": "add", "*": "mul"}

GREETING: Final = "你好！很高兴见到你，有什么可以帮你的吗？"
COUNT: Final = "，".join(str(number) for number in range(1, 21)) + "。"
STORY: Final = json.loads(Path(__file__).with_name("story.json").read_text(encoding="utf-8"))
"""Alternatives for each sentence: every way through them is a whole story of 120 to 300 characters. {x} is the animal,
{y} the fruit."""

ENDINGS: Final = ("The result is {}.", "The answer is {}.", "结果是{}。", "答案是 {}。")


@dataclass(frozen=True)
class Say:
    """What the model does in one turn: it speaks, or it calls. `cut` is a reply that did not end by itself."""

    text: str = ""
    calls: tuple[tuple[str, Arguments], ...] = ()
    cut: bool = False


@dataclass(frozen=True)
class Asked:
    """A conversation as far as the model sees it: the last question, the results since, and the tools by name."""

    question: str
    results: tuple[int, ...]
    offered: tuple[str, ...]
    rng: Random = field(compare=False, default_factory=Random)


def read(messages: Sequence[Message], offered: Sequence[str], rng: Random) -> Asked:
    """What is to be answered."""
    last = max((number for number, message in enumerate(messages) if message["role"] == "user"), default=0)
    results = [RESULT.search(str(message.get("content"))) for message in messages[last:] if message["role"] in RESULTS]
    return Asked(
        question=str(messages[last].get("content")),
        results=tuple(int(found[1]) for found in results if found),
        offered=tuple(offered),
        rng=rng,
    )


RESULTS: Final = ("tool", "environment")


def steps(question: str) -> list[tuple[str, int | None, int]]:
    """The operations that a question asks for, in order; an operand None is the result before."""
    chain = CHAIN.search(question)
    if chain:
        return [("add", int(chain[1]), int(chain[2])), ("mul", None, int(chain[3]))]
    return [(NAMES[sign], int(a), int(b)) for a, sign, b in OPERATION.findall(question)]


def say(asked: Asked) -> Say:
    """The next turn: a call while one is due, else words."""
    plan = steps(asked.question)
    if not plan or not asked.offered:
        return Say(story(asked.rng) if "故事" in asked.question else talk(asked.question))
    if len(asked.results) >= len(plan):
        return Say(asked.rng.choice(ENDINGS).format(asked.results[-1]))
    name, a, b = plan[len(asked.results)]
    return Say(calls=((name, {"a": asked.results[-1] if a is None else a, "b": b}),))


def story(rng: Random) -> str:
    """A story about a fox and a watermelon, one of hundreds."""
    return "".join(rng.choice(part).format(x="狐狸", y="西瓜") for part in STORY)


def talk(question: str) -> str:
    """Small talk."""
    return COUNT if "数到20" in question else GREETING


def raw(turn: Say) -> str:
    """The text before the parser of tool calls, without the special tokens around a call."""
    calls = (json.dumps({"name": name, "parameters": arguments}) for name, arguments in turn.calls)
    return turn.text + "".join(f"\n{call}" for call in calls)


def pieces(text: str) -> list[str]:
    """The text in tokens: words with the blank before them, single characters otherwise."""
    return re.findall(r"\s?[A-Za-z0-9]+|\s?[^A-Za-z0-9\s]|\s", text)
