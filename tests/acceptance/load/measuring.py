"""Put a server under stages of load, and hold every reply against the same server's own when it was asked alone."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import cycle
from random import Random
from typing import Any, Final

from fixtures.ask.load import POLL_S, USAGE_REFRESH_S, Endpoint, Prompts, cache_usage, fill_cache, size_prompts
from fixtures.errors import RequestError
from fixtures.judge.profile import SEED
from tests.acceptance.load.asking import ask_all, margin
from tests.acceptance.load.comparing import NEAR_TIE, SHOWN, Reply, counted, difference, differs, is_back, same
from tests.acceptance.load.questions import STORY, Question, drawn

FILL_DEADLINE_S: Final = 60.0
HELD_ANSWER_TOKENS: Final = 3000
"""Longest answer of a request that holds its part of the cache until the metrics are refreshed."""
FILLS: Final = 4
"""Rounds: a small model on a large card may have answered before the metrics are refreshed."""
MARGINS: Final = 24
"""Differences of a server whose margins are asked for."""

Row = dict[str, Any]
"""A server as compared: what is recorded of it, and what its claims are judged by."""


@dataclass(frozen=True)
class Stage:
    """So many requests at a time, `share` of all; every second of them is cut, or every eighth has a long prompt."""

    id: str
    at_once: int
    share: float
    cuts: bool = False
    long: bool = False


@dataclass(frozen=True)
class Workload:
    """What a server is put under.

    :param alone, again: of the questions, those that are asked alone, and of these, those that are asked again.
    :param held: requests, and tokens of each prompt, that hold the KV cache and are cut.
    """

    requests: int
    questions: int
    alone: int
    again: int
    stages: tuple[Stage, ...]
    long_tokens: int = 0
    held: tuple[int, int] | None = None


def workload(rehearse: bool, prefix_caching: bool, requests: int | None) -> Workload:
    """Return the load for a server, `requests` in all its stages; less of it on a CPU, and with a prefix cache."""
    requests = requests or (80 if rehearse else 1000)
    few, some, many = (2, 4, 8) if rehearse else (8, 32, 128)
    if prefix_caching:
        again = 8 if rehearse else 16
        return Workload(requests, 5 * many // 4, again, again, (Stage("warm", some, 0.2),))
    among = (Stage("few", few, 0.1), Stage("some", some, 0.2), Stage("many", many, 0.4))
    stages = (*among, Stage("cut", some, 0.15, cuts=True), Stage("long", some, 0.15, long=True))
    if rehearse:
        return Workload(requests, 16, 12, 4, stages, 300, (4, 200))
    return Workload(requests, 160, 96, 16, stages, 2000, (64, 500))


def compare(endpoint: Endpoint, name: str, load: Workload, timeout: float, on_line: Callable[[str], object]) -> Row:
    """Ask alone, under every stage of load, and for the sampled stories; then fill the KV cache, cut, and look at it.

    :raises RequestError: the server answers nothing, or does not count tokens.
    """
    began, questions = time.monotonic(), drawn(load.questions)
    before = cache_usage(endpoint) if load.held else None
    prompts = size_prompts(endpoint, load.long_tokens) if load.long_tokens else None
    on_line("alone")
    alone, again = (ask_all(endpoint, questions[:count], 1, timeout) for count in (load.alone, load.again))
    known = {reply.question.number: reply for reply in alone if not reply.error}
    if not known:
        raise RequestError("load_unanswered", where=endpoint.where, error=alone[0].error)
    stages = [
        {"id": "alone", "at_once": 1, **counted(alone, {}, questions)},
        {"id": "again", "at_once": 1, **counted(again, known, questions)},
    ]
    replies = list(again)
    for stage in load.stages:
        on_line(stage.id)
        asked = ask_all(endpoint, _asked(stage, load.requests, questions, prompts), stage.at_once, timeout)
        stages.append({"id": stage.id, "at_once": stage.at_once, **counted(asked, known, questions)})
        replies += asked
    on_line("seeded")
    compared, differ = (sum(stage[figure] for stage in stages[2:]) for figure in ("compared", "differ"))
    return {
        "name": name,
        "questions": len(alone),
        "right_alone": sum(reply.right for reply in alone),
        "stages": stages,
        "differences": _differences(endpoint, known, replies, timeout),
        "greedy_alone": same(alone[: load.again], again),
        "greedy_loaded": [compared - differ, compared],
        **_seeded(endpoint, questions, load.again, load.stages[-1].at_once, timeout),
        "capacity": _capacity(endpoint, *load.held, before) if load.held else None,
        "seconds": round(time.monotonic() - began, 1),
    }


def _asked(stage: Stage, requests: int, questions: list[Question], prompts: Prompts | None) -> list[Question]:
    """Every question in turn, each round in another order: half of them streamed, some cut, some long."""
    rng, asked = Random(f"{SEED} {stage.id}"), list[Question]()
    while len(asked) < stage.share * requests:
        asked += rng.sample(questions, len(questions))
    ways = cycle(("cut", "whole", "cut", "streamed") if stage.cuts else ("whole", "whole", "streamed", "streamed"))
    found = [replace(one, how=how) for one, how in zip(asked[: round(stage.share * requests)], ways, strict=False)]
    if stage.long and prompts:
        found[::8] = [Question(-1, "long", filler=prompts.text(number)) for number in range(0, len(found), 8)]
    return found


def _differences(endpoint: Endpoint, alone: dict[int, Reply], replies: list[Reply], timeout: float) -> list[Row]:
    """Tell each difference once: its question and first token, how far apart the likeliest tokens were alone."""
    found: dict[tuple[int, int | None], Row] = {}
    for reply in replies:
        before = alone.get(reply.question.number)
        if before is None or reply.cut or reply.error or not differs(before, reply):
            continue
        at = difference(before, reply)
        key = (reply.question.number, at)
        if key not in found:
            gap = None if at is None or len(found) >= MARGINS else margin(endpoint, before, at, timeout)
            found[key] = {
                "question": reply.question.number,
                "token": None if at is None else at + 1,
                "margin": None if gap is None else round(gap, 4),
                "kind": "unknown" if gap is None else "near_tie" if gap <= NEAR_TIE else "finding",
                "alone": before.said[:SHOWN],
                "loaded": reply.said[:SHOWN],
                "flips": 0,
                "times": 0,
            }
        found[key]["times"] += 1
        found[key]["flips"] += before.right and not reply.right
    return list(found.values())


def _seeded(endpoint: Endpoint, neighbours: list[Question], seeds: int, at_once: int, timeout: float) -> Row:
    """Have stories begun at the homework's sampling, a seed each: alone, alone again, and all among neighbours."""
    stories = [Question(number, STORY) for number in range(seeds)]
    once, twice = (ask_all(endpoint, stories, 1, timeout) for _ in range(2))
    among = [*stories, *neighbours]
    Random(SEED).shuffle(among)
    replies = [one for one in ask_all(endpoint, among, at_once, timeout) if one.question.kind == STORY]
    loaded = sorted(replies, key=lambda reply: reply.question.number)
    distinct = len({reply.said for reply in once})
    return {"seeded_alone": same(once, twice), "seeded_loaded": same(once, loaded), "seeded_texts": distinct}


def _capacity(endpoint: Endpoint, requests: int, tokens: int, before: float | None) -> Row | None:
    """Fill the cache once more, cut every request, and wait for the metrics; None where the server has none.

    :param before: share of the cache in use before the first request.
    :returns: why it could not be filled, as `failed`, too: what was compared before must not be lost for it.
    """
    if before is None:
        return None
    try:
        prompts = size_prompts(endpoint, tokens)
        fills = (fill_cache(endpoint, prompts, requests, HELD_ANSWER_TOKENS, FILL_DEADLINE_S) for _ in range(FILLS))
        filled = next((one for one in fills if one.usage is not None), None)
    except RequestError as error:
        return {"before": before, "held": None, "after": None, "failed": error.what.as_json()}
    if filled is None or filled.usage is None:
        return None
    found = {"before": before, "held": filled.usage, "requests": filled.requests, "tokens": filled.tokens}
    deadline = time.monotonic() + 2 * USAGE_REFRESH_S
    while (after := cache_usage(endpoint)) is not None:
        if is_back({**found, "after": after}) or time.monotonic() > deadline:
            return {**found, "after": after}
        time.sleep(POLL_S)
    return None
