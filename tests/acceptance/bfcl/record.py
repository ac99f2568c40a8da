"""The record of the scores of one checkpoint, from the events of its run."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from fixtures.evidence.events import CheckpointIdentified, Entry
from tests.acceptance.bfcl.asking import COMPARED
from tests.acceptance.bfcl.result import JUDGED, of_events


def records(entries: Sequence[Entry]) -> dict[str, Any]:
    """Return `rows` of scores, `pairs` with bf16, and what differs from it, by question. One of the suite's own
    checkpoints has a record of its own name.

    :raises ValueError: servers are missing.
    """
    events = [entry.event for entry in entries]
    found = of_events(events)
    if found is None:
        return {}
    wanted = [(one.title, asking) for one in COMPARED for asking in JUDGED]
    if missing := [name for name, asking in wanted if found.of(name, asking) is None]:
        raise ValueError(f"servers are missing: {', '.join(dict.fromkeys(missing))}")
    checkpoint = [event for event in events if isinstance(event, CheckpointIdentified)][-1]
    own = "" if checkpoint.origin == "path" else f"{checkpoint.origin}-"
    record = {
        "checkpoint": checkpoint.name,
        **{name: value for name, value in asdict(found.asked).items() if name != "ids"},
        "rows": found.rows(),
        "pairs": found.pairs(),
        "servers": [
            {
                "served": one.name,
                "sampling": one.asking,
                "mean": None if (mean := found.mean(one)) is None else round(mean, 4),
                "empty": found.empty(one),
                "answer_tokens": one.answer_tokens,
                "kept": one.kept,
                "seconds": one.seconds,
                "argv": one.argv,
            }
            for one in found.answered
        ],
        "flips": [
            {"served": name, "sampling": asking, **_ids(found.flips(name, asking))}
            for name, asking in wanted[len(JUDGED) :]
        ],
    }
    return {f"bfcl-{own}{{gpu}}": record}


def _ids(flips: Sequence[dict[str, Any]]) -> dict[str, str]:
    """The questions, in a line each: there may be a thousand, and their replies are in the run's evidence."""
    lost = [flip["outcomes"][0] == "right" for flip in flips]
    return {
        kind: " ".join(flip["id"] for flip, was_right in zip(flips, lost, strict=True) if was_right == (kind == "lost"))
        for kind in ("lost", "gained")
    }
