"""docs/standin.md: how often the stand-in is right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fixtures.lmdeploy.capabilities import capabilities
from tools.tables import markdown, origin

TASKS: Final = {
    "chain": "`Compute (a+b)*c`, two calls",
    "chain-zh": "the same in Chinese",
    "single": "one call",
    "words": "word problems, Chinese and English",
    "large": "numbers of up to six digits, negative ones",
    "forms": "a\\*b+c, a\\*(b+c), two questions and the like",
    "one-tool": "only the one tool offered that is needed",
}
"""Tasks of the accuracy record in words, in the table's order."""

SERVED: Final = {"bf16": "bf16", "w4a16+int4kv": "W4A16 + int4 KV"}
TEMPERATURES: Final = (0.0, 0.8)

VERSIONED: Final = {
    "chat.story_trials": "story, T=0.8",
    "tools.add_trials": "a+b, T=0.8",
    "tools.multiply_trials": "a\\*b, T=0.8",
    "tools.chain_trials": "(a+b)\\*c, T=0.8",
    "tools.chain_greedy": "(a+b)\\*c, T=0",
}
"""Claims of the record by versions, in the table's order."""


def accuracy(record: Mapping[str, Any], _: str) -> str:
    """Right answers by task, by how the model is served, and by temperature."""
    columns = [(served, temperature) for served in SERVED for temperature in TEMPERATURES]
    found = {(row["task"], row["served"], row["temperature"]): f"{row['k']} of {row['n']}" for row in record["rows"]}
    head = ["task", *(f"{SERVED[served]}, T={temperature:g}" for served, temperature in columns)]
    rows = ([text, *(found[task, served, heat] for served, heat in columns)] for task, text in TASKS.items())
    return f"{origin(record)}\n\n{markdown(head, rows)}"


def trials(record: Mapping[str, Any], _: str) -> str:
    """Each claim's trials with their interval."""
    rows = (
        [f"`{row['claim']}`", f"{row['temperature']:g}", f"{row['k']} of {row['n']}", _percent(row)]
        for row in record["claims"]
    )
    return f"{origin(record)}\n\n{markdown(['claim', 'temperature', 'right', '95 % interval'], rows)}"


def control(record: Mapping[str, Any], _: str) -> str:
    """The same trials on both servers, and what quantization cost."""
    head = ["control", "unquantized", "quantized", "cost of quantization, points [95 % interval]", "McNemar p"]
    rows = (
        [
            f"`{row['claim']}`",
            f"{row['unquantized']} of {row['n']}",
            f"{row['quantized']} of {row['n']}",
            f"{100 * row['cost']:.1f} [{100 * row['lower']:.1f}, {100 * row['upper']:.1f}]",
            f"{row['mcnemar_p']:.2g}",
        ]
        for row in record["control"]
    )
    return markdown(head, rows)


def versions(record: Mapping[str, Any], _: str) -> str:
    """Right answers by lmdeploy version, with the prompt rendering that the version uses."""
    rows = record["rows"].values()
    cells = []
    for row in rows:
        modern = capabilities(row["versions"]["lmdeploy"]).template_from_tokenizer
        claims = {claim["claim"]: claim for claim in row["claims"]}
        right = [f"{one['k']} of {one['n']} ({_percent(one)})" for one in (claims[claim] for claim in VERSIONED)]
        rendering = "the tokenizer's template" if modern else "built into lmdeploy"
        cells.append([row["versions"]["lmdeploy"], rendering, *right])
    commands = {f"`{row['command'].replace(row['versions']['lmdeploy'], 'VERSION')}`" for row in rows}
    dates = sorted({row["date"][:10] for row in rows})
    asked = "\n".join(sorted(commands))
    between = " to ".join(dict.fromkeys((dates[0], dates[-1])))
    platforms = ", ".join(sorted({row["platform"] for row in rows}))
    table = markdown(["lmdeploy", "prompt rendering", *VERSIONED.values()], cells)
    return f"{asked}\nwithout a GPU, {platforms}, {between}:\n\n{table}"


def _percent(row: Mapping[str, Any]) -> str:
    return f"{100 * row['lower']:.1f} to {100 * row['upper']:.1f} %"
