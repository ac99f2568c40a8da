"""The report's part on answers under load: the stages, what differed and by how much, and what a seed repeats."""

from typing import Any, Final

from fixtures.judge.trials import wilson
from fixtures.report.key_figures import Figure
from fixtures.report.markup import Html, brief, grid, tag
from fixtures.report.stamp import stamps
from fixtures.report.summary import RunSummary
from fixtures.texts import Texts
from tests.acceptance.load.comparing import total
from tests.acceptance.load.events import LoadCompared

COLUMNS: Final = ("server", "stage", "at_once", "asked", "failed", "leaked", "flips", "differ")
DIFFERENCE: Final = ("question", "token", "margin", "kind", "times", "alone", "loaded")
REPEATED: Final = ("greedy_alone", "greedy_loaded", "seeded_alone", "seeded_loaded")


def section(run: RunSummary, texts: Texts) -> Html | None:
    """Make the section; None where no server was put under load."""
    rows, say = [event.row for event in run.all(LoadCompared)], texts.say
    if not rows:
        return None
    differences = [(served(row["name"], texts), *_difference(one, texts)) for row in rows for one in row["differences"]]
    repeats = ([served(row["name"], texts), *("{} / {}".format(*row[name]) for name in REPEATED)] for row in rows)
    stages = (_cells(row, one, texts) for row in rows for one in row["stages"])
    others = grid((say(f"load.{name}") for name in ("server", *DIFFERENCE)), differences)
    return tag(
        "section",
        tag("h2", say("load"), stamps(run, texts)),
        tag("p", say("load.how"), class_="note"),
        grid((say(f"load.{name}") for name in COLUMNS), stages, "numbers"),
        tag("p", say("load.repeats"), class_="note"),
        grid([say("load.server"), *(say(f"load.{name}") for name in REPEATED)], repeats, "numbers"),
        tag("details", tag("summary", say("load.differences")), others) if differences else None,
        id="load",
    )


def served(name: str, texts: Texts) -> str:
    """Tell which server it was; one that somebody else runs has its own name."""
    return texts.say(f"load.served.{name}") if texts.has(f"load.served.{name}") else brief(name)


def _difference(one: dict[str, Any], texts: Texts) -> list[str]:
    shown = {**one, "kind": texts.say(f"load.{one['kind']}")}
    return ["–" if shown[name] is None else brief(shown[name]) for name in DIFFERENCE]


def _cells(row: dict[str, Any], stage: dict[str, Any], texts: Texts) -> tuple[str, ...]:
    found = wilson(stage["flips"], stage["right_alone"])
    rate = f"{stage['flips']} / {stage['right_alone']} [{100 * found.lower:.2f}, {100 * found.upper:.2f}] %"
    counts = (str(stage[name]) for name in ("at_once", "asked", "failed", "leaked"))
    held = (
        rate if stage["right_alone"] else "–",
        f"{stage['differ']} / {stage['compared']}" if stage["compared"] else "–",
    )
    return (served(row["name"], texts), texts.say(f"load.{stage['id']}"), *counts, *held)


def key_figures(run: RunSummary, texts: Texts) -> list[Figure]:
    """The replies that were wrong under load and right alone, and those that held another's content."""
    rows = [event.row for event in run.all(LoadCompared)]
    if not rows:
        return [Figure(texts.say("load.flips"), texts.say("not_measured"))]
    flips, right, leaked = (sum(total(row, name) for row in rows) for name in ("flips", "right_alone", "leaked"))
    return [Figure(texts.say("load.flips"), f"{flips} / {right}"), Figure(texts.say("load.leaked"), str(leaked))]
