"""`python -m tests.faults`: every fault and every healthy run, then docs/records/faults.json and docs/faults.md."""

import sys
from typing import Any

from tests.faults.catalogue import FAULTS, HEALTHY_RUNS
from tests.faults.record import run


def made(told: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Make the record of all that the tests said."""
    found = {one["fault"]: one for one in told if "fault" in one}
    healthy = [one["passed"] for one in told if "healthy" in one]
    if len(found) < len(FAULTS) or len(healthy) < HEALTHY_RUNS:
        return None
    rows = (
        {
            "id": fault.id,
            "layer": fault.layer,
            "claim": fault.claim,
            "caught": found[fault.id]["passed"],
            "seconds": found[fault.id]["seconds"],
            "message": found[fault.id]["message"],
        }
        for fault in FAULTS
    )
    return {
        "healthy_runs": len(healthy),
        "false_alarms": healthy.count(False),
        "leftovers": sum(len(one["leftovers"]) for one in told),
        "faults": list(rows),
    }


if __name__ == "__main__":
    sys.exit(run("faults", "faults or nightly", made))
