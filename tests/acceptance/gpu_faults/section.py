"""The report's part on faults: whether each run that was struck named its cause, and what it left."""

from typing import Any

from fixtures.report.key_figures import Figure
from fixtures.report.markup import Html, grid, tag
from fixtures.report.stamp import stamps
from fixtures.report.summary import RunSummary
from fixtures.texts import Texts
from tests.acceptance.gpu_faults.events import FaultSuffered

COLUMNS = ("fault", "caught", "seconds", "left", "memory")


def section(run: RunSummary, texts: Texts) -> Html | None:
    """Make the section; None where no fault was done."""
    rows = [event.row for event in run.all(FaultSuffered)]
    if not rows:
        return None
    heads = (texts.say(f"gpu_faults.{name}") for name in COLUMNS)
    table = grid(heads, (_cells(row, texts) for row in rows))
    return tag("section", tag("h2", texts.say("gpu_faults"), stamps(run, texts)), table, id="gpu_faults")


def _cells(row: dict[str, Any], texts: Texts) -> tuple[str, ...]:
    memory = [row[name] for name in ("idle_mib", "peak_mib", "released_mib")]
    unknown = texts.say("not_measured")
    return (
        texts.say(f"gpu_faults.{row['id']}"),
        texts.say("state.passed" if row["caught"] else "state.failed"),
        f"{row['seconds']:.1f}",
        str(len(row["left"])),
        unknown if None in memory else " → ".join(f"{mib:,.0f}" for mib in memory),
    )


def key_figures(run: RunSummary, texts: Texts) -> list[Figure]:
    """Count the faults whose cause was named, of all that were done."""
    rows = [event.row for event in run.all(FaultSuffered)]
    return [Figure(texts.say("gpu_faults.caught"), f"{sum(row['caught'] for row in rows)} / {len(rows)}")]
