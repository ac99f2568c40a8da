"""docs/faults.md: what catches each fault of the catalogue, and in which words."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tests.faults.catalogue import FAULTS
from tools.tables import Place, markdown

LONGEST_MESSAGE: Final = 160
"""Characters of a message in the table; the whole of it is in the record."""

CAUGHT_BY: Final = {
    "accepted": "nothing: it must not matter, and the run is accepted",
    "refused": "pytest, before anything is started",
    "full": "pytest, with an internal error and an unfinished page in the report's place",
    "sealed": "`python -m fixtures.evidence verify`",
}


def table(record: Mapping[str, Any], _: Place) -> str:
    """Tell how many were caught, with a table for each layer. The page in Chinese has none."""
    faults: list[dict[str, Any]] = record["faults"]
    told = (
        f"Made by `{record['command']}` from [its record](records/faults.json) on {record['date'][:10]}: "
        f"{sum(fault['caught'] for fault in faults)} of {len(faults)} faults caught, {record['false_alarms']} false "
        f"alarms in {record['healthy_runs']} healthy runs, {record['leftovers']} things left behind (processes, ports, "
        f"locks, temporary folders, half-written cache entries). {record['seconds']} s on "
        f"{record['hardware']['processors']} processors."
    )
    breaks = {fault.id: (fault.breaks, fault.words) for fault in FAULTS}
    parts = [told]
    for layer in dict.fromkeys(fault["layer"] for fault in faults):
        rows = (_cells(found, *breaks[found["id"]]) for found in faults if found["layer"] == layer)
        parts += [f"## {layer[0].upper()}{layer[1:]}", markdown(("fault", "caught by", "message", "seconds"), rows)]
    return "\n\n".join(parts)


def _cells(found: Mapping[str, Any], breaks: str, words: Sequence[str]) -> tuple[str, ...]:
    by = CAUGHT_BY.get(found["claim"], f"`{found['claim']}`") if found["caught"] else "**not caught**"
    return cell(breaks), by, cell(excerpt(found["message"], words)), f"{found['seconds']:g}"


def excerpt(message: str, words: Sequence[str]) -> str:
    """The first line of a message, and the first line with each word that it must have."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    wanted = lines[:1] + [next((line for line in lines if word in line), "") for word in words if word]
    text = " … ".join(dict.fromkeys(line[:LONGEST_MESSAGE] for line in wanted if line))
    return text if len(text) <= 2 * LONGEST_MESSAGE else text[: 2 * LONGEST_MESSAGE] + "…"


def cell(text: str) -> str:
    """Text that a Markdown table shows as it is."""
    for special in ("\\", "|", "`", "<", "*", "_", "["):
        text = text.replace(special, f"\\{special}" if special != "<" else "&lt;")
    return text
