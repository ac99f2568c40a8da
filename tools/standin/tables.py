"""Write the tables of docs/standin.md from the records: `python -m tools.standin.tables`, in the suite's root.

Each table stands between a pair of comments that name its record; what is outside them is written by hand.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tools.records import RECORDS

DOCUMENT: Final = Path("docs") / "standin.md"

TASKS: Final = {
    "chain": "`Compute (a+b)*c`, two calls",
    "chain-zh": "the same in Chinese",
    "single": "one call",
    "words": "word problems, Chinese and English",
    "large": "numbers of up to six digits, negative ones",
    "forms": "a\\*b+c, a\\*(b+c), two questions and the like",
    "one-tool": "only the one tool offered that is needed",
}
"""The accuracy record's tasks in words, in the table's order."""

SERVED: Final = {"bf16": "bf16", "w4a16+int4kv": "W4A16 + int4 KV"}
TEMPERATURES: Final = (0.0, 0.8)


def accuracy(record: dict[str, Any]) -> str:
    """Right answers by task, by how the model is served, and by temperature."""
    columns = [(served, temperature) for served in SERVED for temperature in TEMPERATURES]
    found = {(row["task"], row["served"], row["temperature"]): f"{row['k']} of {row['n']}" for row in record["rows"]}
    head = ["task", *(f"{SERVED[served]}, T={temperature:g}" for served, temperature in columns)]
    rows = [
        [text, *(found[task, served, temperature] for served, temperature in columns)] for task, text in TASKS.items()
    ]
    return f"{_provenance(record)}\n\n{_table(head, rows)}"


def trials(record: dict[str, Any]) -> str:
    """Each claim's trials with their interval."""
    rows = [
        [f"`{row['claim']}`", f"{row['temperature']:g}", f"{row['k']} of {row['n']}", _percent(row)]
        for row in record["claims"]
    ]
    return f"{_provenance(record)}\n\n{_table(['claim', 'temperature', 'right', '95 % interval'], rows)}"


def control(record: dict[str, Any]) -> str:
    """The same trials on both servers, and what quantization cost."""
    head = ["control", "unquantized", "quantized", "cost of quantization, points [95 % interval]", "McNemar p"]
    rows = [
        [
            f"`{row['claim']}`",
            f"{row['unquantized']} of {row['n']}",
            f"{row['quantized']} of {row['n']}",
            f"{100 * row['cost']:.1f} [{100 * row['lower']:.1f}, {100 * row['upper']:.1f}]",
            f"{row['mcnemar_p']:.2g}",
        ]
        for row in record["control"]
    ]
    return _table(head, rows)


VERSIONED: Final = {
    "chat.story_trials": "story",
    "tools.add_trials": "a+b",
    "tools.multiply_trials": "a\\*b",
    "tools.chain_trials": "(a+b)\\*c",
    "tools.chain_greedy": "(a+b)\\*c",
}
"""Claims of the record by versions, in the table's order."""

RENDERINGS: Final = {"builtin": "built into lmdeploy", "modern": "the tokenizer's template"}


def versions(record: dict[str, Any]) -> str:
    """Right answers by lmdeploy version, with the prompt rendering that its server was seen to use."""
    rows = record["rows"]
    found = [{claim["claim"]: claim for claim in row["claims"]} for row in rows]
    temperatures = {claim: {one[claim]["temperature"] for one in found} for claim in VERSIONED}
    head = ["lmdeploy", "prompt rendering"]
    head += [f"{text}, T={'/'.join(f'{one:g}' for one in temperatures[claim])}" for claim, text in VERSIONED.items()]
    cells = [
        [row["lmdeploy"], RENDERINGS[row["rendering"]], *(_right(claims[claim]) for claim in VERSIONED)]
        for row, claims in zip(rows, found, strict=True)
    ]
    commands = {row["command"].replace(row["lmdeploy"], "VERSION") for row in rows}
    platforms = {row["hardware"]["platform"] for row in rows}
    dates = sorted({row["date"][:10] for row in rows})
    asked = "\n".join(f"`{command}`" for command in sorted(commands))
    between = " to ".join(dict.fromkeys((dates[0], dates[-1])))
    origin = f"{asked}\nwithout a GPU, {', '.join(sorted(platforms))}, {between}:"
    return f"{origin}\n\n{_table(head, cells)}"


def _right(row: dict[str, Any]) -> str:
    return f"{row['k']} of {row['n']} ({_percent(row)})"


def _percent(row: dict[str, Any]) -> str:
    return f"{100 * row['lower']:.1f} to {100 * row['upper']:.1f} %"


def _provenance(record: dict[str, Any]) -> str:
    gpu, versions = record["gpu"]["name"], record["versions"]
    return f"`{record['command']}`\non one {gpu}, lmdeploy {versions['lmdeploy']}, {record['date'][:10]}:"


def _table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))


TABLES: Final[dict[str, tuple[str, Callable[[dict[str, Any]], str]]]] = {
    "accuracy": ("standin-accuracy.json", accuracy),
    "trials": ("trials-standin-h100-80gb-hbm3.json", trials),
    "control": ("trials-standin-h100-80gb-hbm3.json", control),
    "versions": ("standin-versions.json", versions),
}
"""By the name in the comments: the record and what makes its table."""


def rendered(text: str, records: Path) -> str:
    """The document with every table made anew.

    :raises KeyError: a comment names no table, or a record lacks a row.
    """

    def table(match: re.Match[str]) -> str:
        name = match["name"]
        file, made_by = TABLES[name]
        record = json.loads((records / file).read_text(encoding="utf-8"))
        return f"<!-- {name}: from {file} -->\n{made_by(record)}\n<!-- end -->"

    return re.sub(r"<!-- (?P<name>\w+): from .*? -->\n.*?<!-- end -->", table, text, flags=re.DOTALL)


if __name__ == "__main__":
    argparse.ArgumentParser(prog="python -m tools.standin.tables", description=__doc__).parse_args()
    DOCUMENT.write_text(rendered(DOCUMENT.read_text(encoding="utf-8"), RECORDS), encoding="utf-8")
