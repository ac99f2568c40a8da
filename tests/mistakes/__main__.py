"""`python -m tests.mistakes`: every mistake, then docs/records/mistakes.json and the tables of docs/troubleshooting."""

import sys
from typing import Any

from tests.faults.record import run
from tests.mistakes.catalogue import MISTAKES

KEPT = ("seconds", "said", "named")


def made(told: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Make the record of what the cases said."""
    found = {one["mistake"]: {name: one[name] for name in KEPT} for one in told if "mistake" in one}
    if len(found) < len(MISTAKES):
        return None
    return {"cases": [{"id": each.id, "source": each.source, **found[each.id]} for each in MISTAKES]}


if __name__ == "__main__":
    sys.exit(run("mistakes", "mistakes", made))
