"""The report's part on replies under a schema: a row for each schema, a column for each way to ask."""

from fixtures.report.key_figures import Figure
from fixtures.report.markup import Html, brief, grid, tag
from fixtures.report.stamp import stamps
from fixtures.report.summary import RunSummary
from fixtures.texts import Texts
from tests.acceptance.structured.cases import CASES, WAYS
from tests.acceptance.structured.events import SchemaTried


def section(run: RunSummary, texts: Texts) -> Html | None:
    """Make the section; None where nothing was asked."""
    tried = {(one.case, one.way): one for one in run.all(SchemaTried)}
    if not tried:
        return None
    rows = [
        [getattr(case, texts.language), *(_cell(tried.get((case.id, way)), texts) for way in WAYS)] for case in CASES
    ]
    return tag(
        "section",
        tag("h2", texts.say("structured"), stamps(run, texts)),
        grid((texts.say("structured.case"), "response_format", 'tool_choice="required"'), rows),
        id="structured",
    )


def _cell(tried: SchemaTried | None, texts: Texts) -> object:
    if tried is None:
        return texts.say("not_measured")
    shown = tag("pre", brief(tried.text)) if tried.outcome not in ("valid",) else None
    return tag("div", texts.say(f"structured.{tried.outcome}"), f" {tried.why}" if tried.why else "", shown)


def key_figures(run: RunSummary, texts: Texts) -> list[Figure]:
    """Count the valid replies, and those that white space ran away with."""
    outcomes = [one.outcome for one in run.all(SchemaTried)]
    return [
        Figure(texts.say("structured.valid"), f"{outcomes.count('valid')} / {len(outcomes)}"),
        Figure(texts.say("structured.runaway"), f"{outcomes.count('runaway')} / {len(outcomes)}"),
    ]
