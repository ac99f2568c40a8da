"""Replies under load against those alone: leaks, flips, differences. Pure."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fixtures.client.answer import Answer, an_object
from fixtures.judge.profile import MOST_FLIPS
from fixtures.judge.trials import wilson
from fixtures.texts import Message, message
from tests.acceptance.load.questions import Question

NEAR_TIE: Final = 0.5
"""Nats between the two likeliest tokens. bfloat16 keeps 8 bits: logits of 16 to 32 lie 0.125 apart, and sums in another
order, as in another batch, may move each of two by a step or two."""

SHOWN: Final = 200
"""Characters of a reply in evidence."""
KEPT: Final = 40
"""Differences and leaks of a stage that are kept in evidence."""


@dataclass(frozen=True)
class Reply:
    """What came of a question. `ids` are empty where the version does not tell its tokens."""

    question: Question
    answer: Answer
    ids: tuple[int, ...] = ()
    error: str = ""

    @property
    def cut(self) -> bool:
        """Whether we hung up."""
        return self.question.how == "cut"

    @property
    def said(self) -> str:
        """The reply's text and calls; arguments as values, since a stream may space them otherwise."""
        functions = [an_object(call.get("function")) for call in self.answer.tool_calls]
        calls = (f"{one.get('name')}({_values(one.get('arguments'))})" for one in functions)
        return " ".join(filter(None, (self.answer.text.strip(), *calls)))

    @property
    def right(self) -> bool:
        """Whether it is the right answer."""
        return not self.error and self.question.is_answered(self.answer)


def _values(arguments: Any) -> str:
    try:
        return json.dumps(json.loads(arguments), sort_keys=True)
    except (TypeError, ValueError):
        return str(arguments)


def leaks(reply: Reply, questions: Iterable[Question]) -> list[int]:
    """Find the other questions of which the reply has the word, or both numbers; one number may be a mistake.

    A model that cannot echo may run its own word on into a longer one.
    """
    said = reply.said
    numbers = {int(found) for found in re.findall(r"(?<!\d)\d{3}(?!\d)", said)} - reply.question.numbers
    words = set(re.findall(r"[a-z]{8,}", said.lower())) - {reply.question.word}
    if not numbers and not words:
        return []
    return [
        other.number
        for other in questions
        if other.number != reply.question.number
        and ((other.word and any(other.word in word for word in words)) or (other.a and {other.a, other.b} <= numbers))
    ]


def difference(alone: Reply, loaded: Reply) -> int | None:
    """Find the first token that differs; None where both are the same, or the ids of either are not known."""
    if not alone.ids or not loaded.ids or alone.ids == loaded.ids:
        return None
    pairs = zip(alone.ids, loaded.ids, strict=False)
    return next((at for at, (one, other) in enumerate(pairs) if one != other), min(len(alone.ids), len(loaded.ids)))


def differs(alone: Reply, loaded: Reply) -> bool:
    """Whether two replies differ: in a token where their ids are known, else in what they say."""
    return alone.ids != loaded.ids if alone.ids and loaded.ids else alone.said != loaded.said


def counted(replies: Sequence[Reply], alone: Mapping[int, Reply], questions: Sequence[Question]) -> dict[str, Any]:
    """Count what came of a stage: `right_alone` replies to what is answered right alone, `flips` of them wrong."""
    whole = [reply for reply in replies if not reply.cut and not reply.error]
    pairs = [(alone[reply.question.number], reply) for reply in whole if reply.question.number in alone]
    errors = [reply.error for reply in replies if reply.error]
    right = [reply for before, reply in pairs if before.right]
    leaked = [(reply, found) for reply in replies if (found := leaks(reply, questions))]
    return {
        "asked": len(replies),
        "cut": sum(reply.cut for reply in replies),
        "failed": len(errors),
        "error": errors[0] if errors else "",
        "compared": len(pairs),
        "right_alone": len(right),
        "flips": sum(not reply.right for reply in right),
        "differ": sum(differs(before, reply) for before, reply in pairs),
        "leaked": len(leaked),
        "leaks": [
            {"asked": reply.question.number, "of": found, "said": reply.said[:SHOWN]} for reply, found in leaked[:KEPT]
        ],
    }


def same(first: Sequence[Reply], second: Sequence[Reply]) -> list[int]:
    """Count the pairs of replies that are the same, token by token: `[k, n]`; one that failed is no reply."""
    pairs = [(a, b) for a, b in zip(first, second, strict=True) if not a.error and not b.error]
    return [sum(not differs(a, b) for a, b in pairs), len(pairs)]


def total(row: Mapping[str, Any], figure: str) -> int:
    """Sum a figure of all stages of a server."""
    return sum(stage[figure] for stage in row["stages"])


def flips_fault(row: Mapping[str, Any]) -> Message | None:
    """Find why the flips of a server are too many, or show nothing."""
    flips, right = total(row, "flips"), total(row, "right_alone")
    if not right:
        return message("load.nothing_right", server=row["name"], questions=row["questions"])
    found = wilson(flips, right)
    if found.lower > MOST_FLIPS:
        rates = {"lower": round(100 * found.lower, 2), "upper": round(100 * found.upper, 2)}
        return message("load.flipped", server=row["name"], flips=flips, right=right, most=100 * MOST_FLIPS, **rates)
    return None


def is_back(capacity: Mapping[str, Any]) -> bool:
    """Whether the cache is as empty as before: less than half of what one of the cancelled requests held is missing."""
    held = capacity["held"] - capacity["before"]
    return bool(held > 0 and capacity["after"] - capacity["before"] < held / (2 * capacity["requests"]))
