"""The report's part on conformance: a row for each request, and the routes that ask for no key."""

from fixtures.report.key_figures import Figure
from fixtures.report.markup import Html, grid, tag
from fixtures.report.stamp import stamps
from fixtures.report.summary import RunSummary
from fixtures.run.claims import title
from fixtures.texts import Texts
from tests.acceptance.conformance.events import RoutesAsked, RowTried

COLUMNS = ("row", "status", "outcome", "sdk")


def section(run: RunSummary, texts: Texts) -> Html | None:
    """Make the section; None where nothing was asked."""
    rows = run.all(RowTried)
    if not rows:
        return None
    table = grid((texts.say(f"conformance.{name}") for name in COLUMNS), (_cells(row, texts) for row in rows))
    return tag(
        "section",
        tag("h2", texts.say("conformance"), stamps(run, texts)),
        table,
        *(
            tag("p", texts.say("conformance.routes", guarded=len(asked.guarded), open=", ".join(asked.open)))
            for asked in run.all(RoutesAsked)
        ),
        id="conformance",
    )


def _cells(row: RowTried, texts: Texts) -> tuple[object, ...]:
    said = texts.say(f"conformance.sdk.{row.sdk}") if texts.has(f"conformance.sdk.{row.sdk}") else row.sdk
    return (
        title(f"conformance.{row.row}", texts),
        str(row.status or ""),
        "; ".join(row.lacks) or texts.say("conformance.conforms"),
        said,
    )


def key_figures(run: RunSummary, texts: Texts) -> list[Figure]:
    """Count the rows that are as documented."""
    rows = run.all(RowTried)
    return [Figure(texts.say("conformance.conforming"), f"{sum(not row.lacks for row in rows)} / {len(rows)}")]
