"""The cause of what failed, from how several ways of serving the same checkpoint answered. Pure.

The ways differ in one ingredient each: unquantized weights, W4A16, int8 KV, int4 KV, lmdeploy's other engine. What
fails is due to the first ingredient with which it is no longer answered; before any of them is blamed, the prompt and
the words of the model itself are looked at.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import comb
from typing import Any, Final

from fixtures.server.in_turn import BF16, ENGINES, W4A16, Configuration
from fixtures.texts import Message, message
from tests.acceptance.explain.events import SearchBegun, ServerTried

STORY: Final = "story"
"""The kind of question that is not about tools."""

SURE: Final = 0.9
"""Rate of right answers from which no other server need be asked: what failed was chance."""

ABLE: Final = 0.5
"""Rate from which the unquantized checkpoint can do what it is asked."""

CHANCE: Final = 0.01
"""Probability, by Fisher's exact test, below which a server that is right less often has lost something."""

MOST: Final = 0.5
"""Share of the wrong answers from which their common fault is the cause."""

NONE: Final = {"right": 0, "made": 0}

DROPPED: Final = "fault.call_dropped"
REFUSED: Final = ("error.", "exchange.")
"""Beginnings of the ids of a request's errors, among faults of the reply."""


@dataclass(frozen=True)
class Cause:
    """Why a kind of question failed: `explain.cause.<id>`, with its figures."""

    kind: str
    id: str
    told: Message


def deployed(begun: SearchBegun) -> Configuration:
    """Return the way in which the deployment was served."""
    return Configuration(**begun.served)


def next_server(begun: SearchBegun, tried: Sequence[ServerTried], kinds: Iterable[str]) -> Configuration | None:
    """Choose the way of serving to try next; None where no other server would tell more."""
    looked = (look(begun, tried, kind) for kind in kinds)
    return next((found for found in looked if isinstance(found, Configuration)), None)


def causes(begun: SearchBegun, tried: Sequence[ServerTried], kinds: Iterable[str]) -> list[Cause]:
    """Find the causes that the servers that were tried tell, of the kinds that were asked."""
    asked = {kind for one in tried for kind in one.answers}
    kinds = [kind for kind in kinds if kind in asked or not asked]
    return [found for kind in kinds if isinstance(found := look(begun, tried, kind), Cause)]


def look(begun: SearchBegun, tried: Sequence[ServerTried], kind: str) -> Cause | Configuration:
    """Find the cause of a kind of question, or the way of serving that has to be tried to find it."""
    own = deployed(begun)
    served = {Configuration(one.weights, one.quant_policy, own.share, one.backend): one for one in tried}
    plain, quantized, int8 = (replace(own, weights=one.weights, quant_policy=bits)
                              for one, bits in ((BF16, 0), (W4A16, 0), (W4A16, 8)))  # fmt: skip

    def answered(configuration: Configuration) -> dict[str, Any] | None:
        """What a server answered; None where it did not start."""
        return served[configuration].answers.get(kind)

    def lost(configuration: Configuration) -> bool:
        """Whether a server is right less often than the unquantized one."""
        return _is_fewer(answered(plain) or NONE, answered(configuration) or NONE)

    def cause(id_: str, before: Configuration, after: Configuration = own, **fields: Any) -> Cause:
        figures = {"before": _counts(answered(before)), "after": _counts(answered(after)), **fields}
        return Cause(kind, id_, message(f"explain.cause.{id_}", **figures))

    if own not in served:
        return own
    if (found := answered(own)) is None:
        return cause("not_started", own, server=served[own].name)
    if _rate(found) >= SURE:
        return cause("chance", own)
    if first := _before_any_blame(served[own], found, kind):
        return cause(first, own, why=found["why"], faults=_with(found, DROPPED))
    if plain not in served:
        return plain
    if (source := answered(plain)) is None:
        return cause("not_started", plain, server=served[plain].name)
    if _rate(source) < ABLE:
        return cause("model", plain)
    if not lost(own):
        return cause("no_loss", plain)
    if begun.findings:
        return cause("artefact", plain, finding=begun.findings[0], more=len(begun.findings) - 1)
    if quantized not in served:
        return quantized
    if answered(quantized) is None:
        return cause("not_started", quantized, server=served[quantized].name)
    if lost(quantized):
        return cause("weights", plain, quantized)
    guilty: Configuration = own
    with_int8: Any = ""
    if own.quant_policy not in (0, int8.quant_policy):
        if int8 not in served:
            return int8
        if answered(int8) is not None:
            guilty = int8 if lost(int8) else own
            with_int8 = message("explain.int8_too" if lost(int8) else "explain.int8_holds")
    fields = {"bits": guilty.quant_policy, "with_int8": with_int8, "engine": ENGINES[own.backend]}
    other = replace(guilty, backend=begun.other_engine)
    if not begun.other_engine:
        return cause("kv", quantized, guilty, **fields, in_other="")
    if other not in served:
        return other
    kept = _counts(answered(other))
    if not lost(other) and _is_fewer(answered(other) or NONE, answered(guilty) or NONE):
        named = {"other": ENGINES[other.backend], "backend": other.backend, "kept": kept}
        return cause("engine", quantized, guilty, **fields, **named)
    in_other = message("explain.in_other_engine", other=ENGINES[other.backend], kept=kept)
    return cause("kv", quantized, guilty, **fields, in_other=in_other)


def _before_any_blame(server: ServerTried, answers: dict[str, Any], kind: str) -> str:
    """Find a cause that no other weights or cache would change; empty where there is none."""
    wrong = answers["made"] - answers["right"]
    refused = sum(count for id_, count in answers["faults"].items() if id_.startswith(REFUSED))
    if refused >= MOST * wrong:
        return "refused"
    if kind != STORY:
        if server.prompt_grows is False:
            return "template"
        if _with(answers, DROPPED) >= MOST * wrong:
            return "parser"
    return ""


def _with(answers: dict[str, Any], fault: str) -> int:
    return int(answers["faults"].get(fault, 0))


def _is_fewer(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Tell whether so few right answers after so many are no chance: Fisher's exact test, one-sided."""
    n, m, right = before["made"], after["made"], before["right"] + after["right"]
    ways = sum(comb(m, k) * comb(n, right - k) for k in range(after["right"] + 1))
    return ways < CHANCE * comb(n + m, right)


def _rate(answers: dict[str, Any]) -> float:
    return float(answers["right"] / answers["made"]) if answers["made"] else 0.0


def _counts(answers: dict[str, Any] | None) -> Any:
    """Tell `k of n`; that a server did not start where there are none."""
    return message("k_of_n", k=answers["right"], n=answers["made"]) if answers else message("explain.not_started")


def first_difference(tried: Sequence[ServerTried], kind: str) -> list[tuple[ServerTried, int, str, str]]:
    """Find where each server's greedy reply leaves that of the first server with unquantized weights: the number of the
    token that differs, from 1 (0: its tokens are not known), and both texts from there. Those that do not differ are
    left out."""
    source = next((one for one in tried if one.weights == BF16.weights and kind in one.greedy), None)
    found = []
    for one in tried:
        if source is None or one is source or kind not in one.greedy:
            continue
        theirs, own = source.greedy[kind], one.greedy[kind]
        if theirs["text"] == own["text"]:
            continue
        at = _common(theirs["text"], own["text"])
        token = _common(theirs["tokens"], own["tokens"]) + 1 if theirs["tokens"] and own["tokens"] else 0
        found.append((one, token, theirs["text"][at:], own["text"][at:]))
    return found


def _common(one: Sequence[Any], other: Sequence[Any]) -> int:
    """Length of the common beginning."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
