"""docs/bfcl.md: scores in points of BFCL, what quantization cost, and what the checker is worth."""

from collections.abc import Mapping
from typing import Any

from fixtures.texts import LANGUAGES, Texts
from tests.acceptance.bfcl.result import APART, GREEDY, JUDGED
from tests.acceptance.bfcl.section import draw, official
from tools.tables import Place, markdown


def scores(record: Mapping[str, Any], place: Place) -> str:
    """Make the tables of a checkpoint: scores, those that BFCL published, and comparisons question by question."""
    categories, texts = list(record["categories"]), Texts(place.language)
    rows = []
    for one in (one for one in record["servers"] if one["sampling"] in JUDGED):
        of = [row for row in record["rows"] if (row["served"], row["sampling"]) == (one["served"], one["sampling"])]
        apart = (str(sum(row[name] for row in of)) for name in APART)
        silent = "{} / {}".format(*one["empty"])
        cells = (f"{100 * row['k'] / row['n']:.1f}" for row in of)
        mean = "–" if one["mean"] is None else f"{100 * one['mean']:.1f}"
        rows.append([one["served"], texts.say(f"bfcl.{one['sampling']}"), mean, *cells, *apart, silent])
    published = [
        [one["model"], f"[{one['date']}]({one['source']})", "", *(f"{one[name]:.2f}" for name in categories), *5 * [""]]
        for one in official(record["checkpoint"])
        if all(name in one for name in categories)
    ]
    first, last = place.head("bfcl.scores"), place.head("bfcl.apart")
    pairs = (
        {**pair, **{name: texts.say(f"bfcl.{pair[name]}") for name in ("sampling", "group")}}
        for pair in record["pairs"]
    )
    return "\n\n".join(
        (
            f"{record['checkpoint']}: {place.origin(record)} {place.raw()}",
            markdown([*first, *categories, *last], rows + published),
            place.table("bfcl.pairs", pairs),
            f"![BFCL](records/{place.stem}-{place.language}.svg)",
        )
    )


def checker(record: Mapping[str, Any], place: Place) -> str:
    """Tell what the checker accepts and refuses."""
    rows = [[name, place.of(*counts)] for kind in ("truth", "planted") for name, counts in record["all"][kind].items()]
    return f"{place.origin(record)} {place.raw()}\n\n{markdown(place.head('bfcl.checker'), rows)}"


def pictures(record: Mapping[str, Any], stem: str) -> dict[str, str]:
    """Draw the greedy scores, in each language; nothing of the checker's record."""
    rows = [row for row in record.get("rows", ()) if row["sampling"] == GREEDY]
    return {f"{stem}-{language}.svg": str(draw(rows, Texts(language))) for language in LANGUAGES if rows}
