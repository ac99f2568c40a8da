"""What follows from the answers: pure functions of the run's events, for the tests, the report and the record."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any, Final

from fixtures.client.answer import Answer
from fixtures.evidence.events import Event
from fixtures.judge.paired import Paired, pair
from fixtures.server.in_turn import BF16
from tests.acceptance.bfcl.events import BfclAnswered, BfclAsked
from tests.acceptance.bfcl.package import expects_calls

GREEDY, SAMPLED, AGAIN = "greedy", "sampled", "again"
JUDGED: Final = (GREEDY, SAMPLED)
CALLS, NO_CALL = "calls", "no_call"
GROUPS: Final = (CALLS, NO_CALL)
"""Questions whose answers are calls, and those that ask whether to call at all."""

OUTCOMES: Final = ("right", "wrong", "unparsed", "cut", "refused", "timeout")
APART: Final = OUTCOMES[2:]
"""Not right, and no wrong answer either."""

SHOWN: Final = 400
"""Characters of a reply in evidence."""

_CALL: Final = re.compile(r'"name"\s*:.*?"(arguments|parameters)"\s*:', re.DOTALL)


@dataclass(frozen=True)
class Reply:
    """An answer as it is judged: calls as the package has them, or None where they cannot be read."""

    calls: list[dict[str, Any]] | None
    text: str
    cut: bool

    @staticmethod
    def of(answer: Answer) -> Reply:
        """Read an answer; arguments must be an object in JSON."""
        cut, calls = answer.finish_reason == "length", []
        for call in answer.tool_calls:
            try:
                name, arguments = str(call["function"]["name"]), json.loads(call["function"]["arguments"])
            except (KeyError, TypeError, ValueError):
                arguments = None
            if not isinstance(arguments, dict):
                return Reply(None, json.dumps(answer.tool_calls, ensure_ascii=False), cut)
            calls.append({name: arguments})
        return Reply(calls, answer.text, cut)

    def is_unparsed(self, offered: Iterable[str], begins: str) -> bool:
        """Tell that a call was made and not found by the server's parser: what looks like one is in the text, or its
        arguments are no JSON.

        :param offered: names of the tools.
        :param begins: with what the model's family begins a call.
        """
        if self.calls:
            return False
        written = begins in self.text or _CALL.search(self.text) is not None
        return self.calls is None or written or any(f"{name}(" in self.text for name in offered)

    @property
    def shown(self) -> str:
        """As evidence keeps it."""
        text = json.dumps(self.calls, ensure_ascii=False) if self.calls else self.text
        return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


@dataclass(frozen=True)
class Comparison:
    """The servers of one checkpoint, compared."""

    asked: BfclAsked
    answered: tuple[BfclAnswered, ...]

    @property
    def names(self) -> list[str]:
        """The servers in the order in which they were asked."""
        return list(dict.fromkeys(one.name for one in self.answered))

    def of(self, name: str, asking: str) -> BfclAnswered | None:
        """What a server answered; None where it was not asked, or did not come to its end."""
        return next((one for one in self.answered if (one.name, one.asking) == (name, asking)), None)

    def categories(self, group: str) -> list[str]:
        """Those asked, of a group."""
        return [name for name in self.asked.categories if expects_calls(name) == (group == CALLS)]

    def outcomes(self, one: BfclAnswered, categories: Sequence[str]) -> list[str]:
        """What became of the questions of some categories, in their order."""
        of = [name for name, count in self.asked.categories.items() for _ in range(count)]
        return [outcome for category, outcome in zip(of, one.outcomes, strict=True) if category in categories]

    def empty(self, one: BfclAnswered) -> list[int]:
        """Count replies without a word and without a call, of each group: a parser may drop a call that it cannot read
        or whose tool was not offered, and only the server can tell that from a model that said nothing."""
        both = zip(one.replies, one.outcomes, strict=True)
        told = replace(one, outcomes=["" if said or of in ("refused", "timeout") else "empty" for said, of in both])
        return [self.outcomes(told, self.categories(group)).count("empty") for group in GROUPS]

    def rights(self, one: BfclAnswered, group: str) -> list[bool]:
        """Of each question of a group, whether it was answered rightly."""
        return [outcome == "right" for outcome in self.outcomes(one, self.categories(group))]

    def mean(self, one: BfclAnswered) -> float | None:
        """Unweighted mean of the rates of the categories with calls, as BFCL makes its averages; None without any."""
        outcomes = [self.outcomes(one, [name]) for name in self.categories(CALLS)]
        return fmean(of.count("right") / len(of) for of in outcomes) if outcomes else None

    def paired(self, name: str, asking: str, group: str) -> Paired | None:
        """A server against the unquantized one; None where either, or all of the group, was not asked."""
        control = self.of(BF16.title, GREEDY if asking == AGAIN else asking)
        other = self.of(name, asking)
        if control is None or other is None or not self.categories(group):
            return None
        return pair(self.rights(control, group), self.rights(other, group))

    def flips(self, name: str, asking: str) -> list[dict[str, Any]]:
        """Questions that only one of a server and the unquantized one answered rightly, with outcomes and replies of
        both, the unquantized one's first."""
        both = [one for one in (self.of(BF16.title, asking), self.of(name, asking)) if one]
        if len(both) < 2:
            return []
        pairs = zip(*(one.outcomes for one in both), strict=True), zip(*(one.replies for one in both), strict=True)
        rows = zip(self.asked.ids, *pairs, strict=True)
        found = [{"id": id_, "outcomes": list(after), "replies": said} for id_, after, said in rows]
        return [flip for flip in found if flip["outcomes"].count("right") == 1]

    def rows(self) -> list[dict[str, Any]]:
        """The record's rows: each server, asking and category."""
        found = []
        for one in self.answered:
            for category in self.asked.categories:
                counts = Counter(self.outcomes(one, [category]))
                row = {"served": one.name, "sampling": one.asking, "category": category, "k": counts["right"]}
                found.append({**row, "n": counts.total(), **{outcome: counts[outcome] for outcome in APART}})
        return found

    def pairs(self) -> list[dict[str, Any]]:
        """The record's comparisons with the unquantized server; points are of a hundred."""
        found = []
        for one in (one for one in self.answered if one.name != BF16.title or one.asking == AGAIN):
            for group in GROUPS:
                if paired := self.paired(one.name, one.asking, group):
                    interval = paired.interval()
                    points = {"cost": paired.cost, "lower": interval.lower, "upper": interval.upper}
                    row = {"served": one.name, "sampling": one.asking, "group": group, "n": paired.trials}
                    row |= {"control": paired.control, "right": paired.quantized}
                    row |= {"control_only": paired.control_only, "quantized_only": paired.quantized_only}
                    row |= {name: round(100 * value, 2) for name, value in points.items()}
                    found.append({**row, "p": float(f"{paired.p_value:.3g}")})
        return found


def of_events(events: Sequence[Event]) -> Comparison | None:
    """The comparison in a run's events; None where nothing was answered."""
    asked = [event for event in events if isinstance(event, BfclAsked)]
    answered = tuple(event for event in events if isinstance(event, BfclAnswered))
    return Comparison(asked[-1], answered) if asked and answered else None
