"""The memory ladder's record, from the events of its run. MiB, tokens, seconds."""

from collections.abc import Sequence
from typing import Any

from fixtures.evidence.events import Entry, PhaseMarked, VramSampled
from tests.acceptance.ladder.events import RungClimbed, StartFailed
from tests.acceptance.ladder.rungs import RUNGS, SMALL_CARDS


def records(entries: Sequence[Entry]) -> dict[str, Any]:
    """Return a row for each rung with the start that failed, and every sample from a rung's idle card to its end.

    :raises ValueError: rungs are missing.
    """
    climbed = {entry.event.row["name"]: entry for entry in entries if isinstance(entry.event, RungClimbed)}
    if not climbed:
        return {}
    if missing := [rung.id for rung in RUNGS if rung.id not in climbed]:
        raise ValueError(f"rungs are missing: {', '.join(missing)}")
    ordered = {rung.id: climbed[rung.id] for rung in (*RUNGS, *SMALL_CARDS) if rung.id in climbed}
    failed = [entry.event.facts for entry in entries if isinstance(entry.event, StartFailed)]
    rows = [entry.event.row for entry in ordered.values() if isinstance(entry.event, RungClimbed)]
    return {
        "vram-ladder-{gpu}": {"rows": rows, "failed_start": failed[-1] if failed else None},
        "vram-ladder-{gpu}-samples": {"samples": {id_: _samples(entries, id_, end) for id_, end in ordered.items()}},
    }


def _samples(entries: Sequence[Entry], rung: str, end: Entry) -> list[list[float]]:
    own = [entry for entry in entries if entry.worker == end.worker]
    start = next((entry.t for entry in own if entry.event == PhaseMarked(f"{rung}.idle")), end.t)
    samples = (sample for entry in own if isinstance(entry.event, VramSampled) for sample in entry.event.samples)
    return [sample for sample in samples if start <= sample[0] <= end.t]
