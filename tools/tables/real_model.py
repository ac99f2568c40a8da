"""docs/real-model.md: what it takes to make the models, and how the larger one answered."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tools.tables import Place, markdown


def table(record: Mapping[str, Any], place: Place) -> str:
    """Tell seconds, disk and memory by model."""
    told = place.table("real_model.made", ({**row, "date": row["date"][:10]} for row in record.values()))
    return f"{told}\n\n{place.raw()}"


KINDS: Final = ("story", "tools.add", "tools.multiply", "tools.chain", "call.add", "call.multiply")


def answers(record: Mapping[str, Any], place: Place) -> str:
    """Tell how often each server of each run was right, then the causes that were found."""
    policies = {name: name.rpartition("quant-policy ")[2].partition(",")[0] for name in record["runs"]}
    found: dict[tuple[str, str], dict[str, str]] = {}
    for row in record["rows"]:
        found.setdefault((policies[row["run"]], row["served"]), {})[row["claim"]] = place.of(row["k"], row["n"])
    rows = [
        [f"`{policy}`", served, *(counts.get(kind, "–") for kind in KINDS)]
        for (policy, served), counts in found.items()
    ]
    causes = [
        f"- `--quant-policy {policies[name]}`, {', '.join(kinds)}: {told}"
        for name, explained in record["explained"].items()
        for told, kinds in _by_cause(explained, place).items()
    ]
    return "\n\n".join(
        (place.origin(record), markdown(place.head("real_model.answers"), rows), "\n".join(causes), place.raw())
    )


def _by_cause(explained: Mapping[str, Sequence[str]], place: Place) -> dict[str, list[str]]:
    """Kinds of questions by the sentence of their cause; the record has the sentences in English."""
    found: dict[str, list[str]] = {}
    for kind, (_, told) in explained.items():
        found.setdefault(f"“{told}”", []).append(place.head("real_model.kinds")[KINDS.index(kind)])
    return found
