"""The record of what quantization cost, from the events of its run; several checkpoints share one."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from fixtures.evidence.events import CheckpointIdentified, Entry, RunStarted
from fixtures.judge.verdict import Happened
from tests.acceptance.quality.asking import COMPARED
from tests.acceptance.quality.result import of_events


def records(entries: Sequence[Entry]) -> dict[str, Any]:
    """Return the checkpoint's run: a row for each server, and `details` with intervals, parts and times.

    :raises ValueError: servers are missing.
    """
    quality = of_events([entry.event for entry in entries])
    if quality is None:
        return {}
    happened = Happened(tuple(entries))
    checkpoint, started = happened.of(CheckpointIdentified)[-1], happened.of(RunStarted)[0]
    names = [one.name for one in quality.measured]
    if missing := [served.title for served in COMPARED if served.title not in names]:
        raise ValueError(f"servers are missing: {', '.join(missing)}")
    run = {
        "command": shlex.join(started.argv),
        "date": entries[0].at,
        "text": quality.asked.fingerprint,
        "predicted_tokens": sum(tokens for _, tokens in quality.asked.passages),
        "prompts": len(quality.asked.prompts),
        "known": {part: round(quality.knowledge(part), 4) for part in quality.parts},
        "judged": list(quality.known),
        "noise": {
            "loss_nats_per_token": quality.moved(names[0], names[0], asking=1),
            "perplexity_ratio": round(quality.ratio(names[0], asking=1).value, 6),
            "agreement": round(quality.agreement(names[0], asking=1).share, 4),
        },
        "rows": [quality.row(name) for name in names],
        "details": {name: quality.details(name) for name in names},
    }
    return {"quality-{gpu}": {"runs": {checkpoint.name if checkpoint.origin == "path" else checkpoint.origin: run}}}


def merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the new record with the old one's other checkpoints, unless their text, versions or card are others:
    figures of those could not be compared."""
    texts = {run["text"] for run in new["runs"].values()}
    alike = old["versions"] == new["versions"] and old["gpu"] == new["gpu"]
    kept = {name: run for name, run in old["runs"].items() if alike and run["text"] in texts}
    runs = dict(sorted({**kept, **new["runs"]}.items(), reverse=True))  # the stand-in before the geometry
    return {**new, "command": " && ".join(run["command"] for run in runs.values()), "runs": runs}
