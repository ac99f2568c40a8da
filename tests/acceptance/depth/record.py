"""The records of repeated trials, from the events of a strict run: how often a claim was tried, and how often right."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from fixtures.ask.questions import CONTROL, TOPICS
from fixtures.evidence.events import Entry, EnvironmentRecorded, Measured, RunStarted, TryJudged
from fixtures.judge.paired import pair
from fixtures.judge.profile import SEED
from fixtures.judge.trials import wilson
from fixtures.judge.verdict import Happened
from fixtures.lmdeploy.capabilities import in_order

WHOLE: Final = frozenset(topic.claim for topic in TOPICS if topic.result_role is None)
"""Claims without which a record would be of a part of the suite, and must not take the whole one's place."""

CACHES: Final = {0: "16-bit kv", 4: "int4kv", 8: "int8kv"}


def records(entries: Sequence[Entry]) -> dict[str, Any]:
    """Of a run on a GPU a record of its own; of a rehearsal with the stand-in a row for its lmdeploy version.

    :raises ValueError: claims are missing in a run on a GPU.
    """
    happened = Happened(tuple(entries))
    started, environment = happened.of(RunStarted)[0], happened.of(EnvironmentRecorded)[0]
    settings, claims = started.settings, _claims(happened)
    if settings.get("profile") != "strict" or not claims:
        return {}
    found = {
        "checkpoint": settings["checkpoint"],
        "served": "external" if settings["base_url"] else f"w4a16+{CACHES[settings['quant_policy']]}",
        "profile": "strict",
        "seed": SEED,
        "claims": claims,
    }
    if started.rehearsal:
        origin = {
            "command": shlex.join(started.argv),
            "date": entries[0].at,
            "platform": environment.platform,
            "python": environment.python,
            "versions": environment.versions,
        }
        wrong = [
            {"claim": one.claim, "trial": one.number, "reason": one.reason}
            for one in happened.of(TryJudged)
            if not one.right
        ]
        row = {**origin, **found, "wrong": wrong}
        return {f"{settings['checkpoint']}-versions": {"rows": {environment.versions["lmdeploy"]: row}}}
    if missing := WHOLE - {row["claim"] for row in claims}:
        raise ValueError(f"claims are missing: {', '.join(sorted(missing))}")
    return {f"trials-{settings['checkpoint']}-{{gpu}}": {**found, "control": _control(happened)}}


def _claims(happened: Happened) -> list[dict[str, Any]]:
    """`k` of `n` trials at a claim were right; `lower` and `upper` bound the rate, 0 to 1, at 95 %."""
    tries = _tries(happened)
    temperatures = {one.claim: one.value for one in happened.of(Measured) if one.name == "temperature"}
    rows = []
    for claim, temperature in temperatures.items():
        right, made = sum(tries[claim]), len(tries[claim])
        interval = wilson(right, made)
        rate = {"lower": round(interval.lower, 4), "upper": round(interval.upper, 4)}
        rows.append({"claim": claim, "temperature": temperature, "k": right, "n": made, **rate})
    return rows


def _control(happened: Happened) -> list[dict[str, Any]]:
    """The trials of both servers at a claim, and what quantization cost."""
    tries, rows = _tries(happened), []
    for topic in CONTROL:
        if topic.claim not in tries:
            continue
        found = pair(tries[f"{topic.claim}.unquantized"], tries[topic.claim])
        interval = found.interval()
        rows.append(
            {
                "claim": topic.claim,
                "temperature": topic.sampling.temperature,
                "n": found.trials,
                "unquantized": found.control,
                "quantized": found.quantized,
                **asdict(found),
                "cost": round(found.cost, 4),
                "lower": round(interval.lower, 4),
                "upper": round(interval.upper, 4),
                "mcnemar_p": round(found.p_value, 6),
            }
        )
    return rows


def _tries(happened: Happened) -> dict[str, list[bool]]:
    tries = defaultdict(list)
    for one in happened.of(TryJudged):
        tries[one.claim].append(one.right)
    return tries


def merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The rows of other lmdeploy versions stay beside the new one; a record of a GPU is replaced."""
    if "rows" not in new:
        return dict(new)
    rows = {**old["rows"], **new["rows"]}
    return {**new, "rows": {version: rows[version] for version in in_order(set(rows))}}
