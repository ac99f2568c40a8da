"""The record of faults done to runs on a GPU, from the events of the run that did them. MiB, seconds."""

from collections.abc import Sequence
from typing import Any

from fixtures.evidence.events import Entry
from tests.acceptance.gpu_faults.events import FaultSuffered
from tests.acceptance.gpu_faults.faults import FAULTS


def records(entries: Sequence[Entry]) -> dict[str, Any]:
    """Return a row for each fault, and how many processes were left behind.

    :raises ValueError: faults are missing.
    """
    rows = {entry.event.row["id"]: entry.event.row for entry in entries if isinstance(entry.event, FaultSuffered)}
    if not rows:
        return {}
    if missing := [fault.id for fault in FAULTS if fault.id not in rows]:
        raise ValueError(f"faults are missing: {', '.join(missing)}")
    return {
        "faults-{gpu}": {"faults": list(rows.values()), "leftovers": sum(len(row["left"]) for row in rows.values())}
    }
