"""The record of repeated trials, from the events of a strict run: how often a claim was tried, and how often right."""

import shlex
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fixtures.evidence.events import Entry, EnvironmentRecorded, Measured, RunStarted, TryJudged
from fixtures.judge.profile import SEED
from fixtures.judge.trials import wilson
from fixtures.judge.verdict import Happened, judge_claim
from fixtures.lmdeploy.capabilities import in_order
from fixtures.run.claims import of_suite

CACHES: Final = {0: "16-bit kv", 4: "int4kv", 8: "int8kv"}
UNTRIED: Final = ("deselected", "not_collected", "unfinished")


def records(entries: Sequence[Entry]) -> dict[str, Any]:
    """Return the row of a run for its lmdeploy version, in a record of the GPU or of rehearsals.

    :raises ValueError: claims are missing in a run on a GPU.
    """
    happened = Happened(tuple(entries))
    started, environment = happened.of(RunStarted)[0], happened.of(EnvironmentRecorded)[0]
    settings, claims = started.settings, _claims(happened)
    if settings.get("profile") != "strict" or not claims:
        return {}
    missing = [claim.id for claim in of_suite("depth") if judge_claim(happened, claim).state in UNTRIED]
    if missing and not started.rehearsal:
        raise ValueError(f"claims are missing: {', '.join(missing)}")
    names = {row["claim"] for row in claims}
    row = {
        "command": shlex.join(started.argv),
        "date": entries[0].at,
        "commit": started.commit,
        "platform": environment.platform,
        "python": environment.python,
        "versions": environment.versions,
        "checkpoint": settings["checkpoint"],
        "served": "external" if settings["base_url"] else f"w4a16+{CACHES[settings['quant_policy']]}",
        "profile": "strict",
        "seed": SEED,
        "claims": claims,
        "wrong": [
            {"claim": one.claim, "trial": one.number, "reason": one.reason}
            for one in happened.of(TryJudged)
            if one.claim in names and not one.right
        ],
    }
    name = f"{settings['checkpoint']}-versions" + ("" if started.rehearsal else "-{gpu}")
    return {name: {"rows": {environment.versions["lmdeploy"]: row}}}


def _claims(happened: Happened) -> list[dict[str, Any]]:
    """List the claims with trials: `k` of `n` were right; `lower` and `upper` bound the rate, 0 to 1, at 95 %."""
    tries = defaultdict(list)
    for one in happened.of(TryJudged):
        tries[one.claim].append(one.right)
    own = {claim.id for claim in of_suite("depth")}
    temperatures = {one.claim: one.value for one in happened.of(Measured) if one.name == "temperature"}
    rows = []
    for claim in (claim for claim in temperatures if claim in own):
        right, made = sum(tries[claim]), len(tries[claim])
        interval = wilson(right, made)
        rate = {"lower": round(interval.lower, 4), "upper": round(interval.upper, 4)}
        rows.append({"claim": claim, "temperature": temperatures[claim], "k": right, "n": made, **rate})
    return rows


def merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the rows of other lmdeploy versions beside the new one."""
    rows = {**old["rows"], **new["rows"]}
    return {**new, "rows": {version: rows[version] for version in in_order(set(rows))}}
