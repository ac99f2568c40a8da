"""The record of the scores, from the events of a run; several checkpoints share one."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from fixtures.evidence.events import CheckpointIdentified, Entry, RunStarted
from fixtures.judge.verdict import Happened
from tests.acceptance.bfcl.asking import COMPARED
from tests.acceptance.bfcl.result import AGAIN, JUDGED, of_events


def records(entries: Sequence[Entry]) -> dict[str, Any]:
    """Return the checkpoint's run: `rows` of scores, `pairs` with bf16, and what differs, by question.

    :raises ValueError: servers are missing.
    """
    found = of_events([entry.event for entry in entries])
    if found is None:
        return {}
    wanted = [(one.title, asking) for one in COMPARED for asking in JUDGED]
    if missing := [name for name, asking in wanted if found.of(name, asking) is None]:
        raise ValueError(f"servers are missing: {', '.join(dict.fromkeys(missing))}")
    happened = Happened(tuple(entries))
    checkpoint, started = happened.of(CheckpointIdentified)[-1], happened.of(RunStarted)[0]
    asked = found.asked
    name = checkpoint.name if checkpoint.origin == "path" else checkpoint.origin
    run = {
        "command": shlex.join(started.argv),
        "date": entries[0].at,
        "package": asked.package,
        "sample": asked.sample,
        "max_tokens": asked.max_tokens,
        "concurrency": asked.concurrency,
        "converted": asked.converted,
        "truth": asked.truth,
        "planted": asked.planted,
        "servers": [
            {
                "served": one.name,
                "sampling": one.asking,
                "mean": None if (mean := found.mean(one)) is None else round(mean, 4),
                "answer_tokens": one.answer_tokens,
                "kept": one.kept,
                "seconds": one.seconds,
                "argv": one.argv,
            }
            for one in found.answered
        ],
        "flips": {
            f"{name}, {asking}": {flip.id: list(flip.outcomes) for flip in found.flips(name, asking)}
            for name, asking in wanted[len(JUDGED) :]
        },
    }
    return {
        "bfcl-{gpu}": {
            "runs": {name: run},
            "rows": [{"checkpoint": name, **row} for row in found.rows() if row["sampling"] != AGAIN],
            "pairs": [{"checkpoint": name, **one} for one in found.pairs()],
        }
    }


def merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the new record with the old one's other checkpoints, unless their questions, versions or card are others:
    figures of those could not be compared."""
    packages = {(run["package"], run["sample"]) for run in new["runs"].values()}
    alike = old["versions"] == new["versions"] and old["gpu"] == new["gpu"]
    others = {name: run for name, run in old["runs"].items() if alike and name not in new["runs"]}
    others = {name: run for name, run in others.items() if (run["package"], run["sample"]) in packages}
    lists = {
        part: [*(one for one in old[part] if one["checkpoint"] in others), *new[part]] for part in ("rows", "pairs")
    }
    runs = {**others, **new["runs"]}
    return {**new, "command": " && ".join(run["command"] for run in runs.values()), "runs": runs, **lists}
