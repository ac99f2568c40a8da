"""The report's part on where the tokens come from."""

from fixtures.report.markup import Html, grid, tag
from fixtures.report.stamp import stamps
from fixtures.report.summary import RunSummary
from fixtures.texts import Texts
from tests.acceptance.fidelity.events import FidelityScored


def section(run: RunSummary, texts: Texts) -> Html | None:
    """Make the section: what each hypothesis leaves unexplained, and by how much its strongest rival is better."""
    scored = next(iter(run.all(FidelityScored)), None)
    if scored is None:
        return None
    # numpy, which every report would import, and which may be what a run failed of
    from tests.acceptance.fidelity.statistic import LEAST_Z, find, recorded

    hypotheses = recorded(scored.hypotheses)
    found = find(hypotheses)
    heads = [texts.say(f"fidelity.{head}") for head in ("hypothesis", "fit", "worse")]
    rows = ([one.name, f"{one.fit:.2f}", f"{one.worst:.1f}"] for one in hypotheses)
    possible = texts.say("list").join(one.name for one in found.possible)
    told = texts.say(
        "fidelity.told", declared=scored.declared, tokens=scored.tokens, replies=len(scored.same_prompts),
        possible=possible, z=f"{LEAST_Z:g}",
    )  # fmt: skip
    return tag(
        "section",
        tag("h2", texts.say("fidelity"), stamps(run, texts)),
        tag("p", told),
        grid(heads, rows, class_="numbers"),
        tag("p", texts.say("fidelity.limits"), class_="note"),
        id="fidelity",
    )
