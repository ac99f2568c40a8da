"""The record of what quantization cost, from the trials of both servers; only of a run on a GPU."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from fixtures.evidence.events import Entry, Measured, RunStarted, TryJudged
from fixtures.judge.paired import pair
from fixtures.judge.profile import SEED
from fixtures.judge.verdict import Happened
from fixtures.run.claims import of_suite


def records(entries: Sequence[Entry]) -> dict[str, Any]:
    """Return a row for each claim: pairs of trials of both servers.

    :raises ValueError: claims are missing.
    """
    happened = Happened(tuple(entries))
    started, tries = happened.of(RunStarted)[0], defaultdict(list)
    for one in happened.of(TryJudged):
        tries[one.claim].append(one.right)
    claims = [claim.id for claim in of_suite("control")]
    if started.rehearsal or not any(claim in tries for claim in claims):
        return {}
    if missing := [claim for claim in claims if len(tries[claim]) != len(tries[f"{claim}.unquantized"])]:
        raise ValueError(f"claims are missing: {', '.join(missing)}")
    temperatures = {one.claim: one.value for one in happened.of(Measured) if one.name == "temperature"}
    rows = [_row(claim, temperatures.get(claim), tries) for claim in claims]
    checkpoint = started.settings["checkpoint"]
    return {f"control-{checkpoint}-{{gpu}}": {"checkpoint": checkpoint, "seed": SEED, "control": rows}}


def _row(claim: str, temperature: float | None, tries: dict[str, list[bool]]) -> dict[str, Any]:
    found = pair(tries[f"{claim}.unquantized"], tries[claim])
    interval = found.interval()
    return {
        "claim": claim,
        "temperature": temperature,
        "n": found.trials,
        "unquantized": found.control,
        "quantized": found.quantized,
        **asdict(found),
        "cost": round(found.cost, 4),
        "lower": round(interval.lower, 4),
        "upper": round(interval.upper, 4),
        "mcnemar_p": round(found.p_value, 6),
    }
