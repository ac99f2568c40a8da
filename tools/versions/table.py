"""The record of installs, contract results and GPU runs as two Markdown tables, which docs/environments.md holds.

They stand between a pair of comments; what is outside them is written by hand.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from fixtures.lmdeploy.versions import ROOT
from tools.versions.installs import CONTRACT

DOCUMENT: Final = ROOT / "docs" / "environments.md"
BEGIN, END = "<!-- from records/versions.json -->", "<!-- end -->"
MIB_PER_GIB: Final = 1024


def rendered(text: str, record: Mapping[str, Any]) -> str:
    """The document with its tables made anew."""
    made = f"{BEGIN}\n{installs(record)}\n\n{gpu_runs(record)}\n{END}"
    return re.sub(f"{BEGIN}.*?{END}", lambda _: made, text, flags=re.DOTALL)


def installs(record: Mapping[str, Any]) -> str:
    """A row for every environment that was installed, oldest lmdeploy first."""
    head = [
        "| environment | Python | packages | on disk | installed in | contract |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    return "\n".join([*head, *_install_rows(record)])


def _install_rows(record: Mapping[str, Any]) -> Iterator[str]:
    for found in record["versions"].values():
        for name, one in sorted(found.get("environments", {}).items()):
            if one["install_exit"]:
                yield f"| `{name.split()[0]}` | {one['python']} | | | not installed: exit {one['install_exit']} | |"
                continue
            took = f"{one['install_seconds']:.0f} s, {one['install_processor_seconds']:.0f} s of processor"
            disk = f"{one['install_mib'] / MIB_PER_GIB:.1f} GiB"
            cells = (
                f"`{name.split()[0]}`",
                one["python"],
                one["distributions"],
                disk,
                took,
                _contract(name, one["tests"]),
            )
            yield "| " + " | ".join(map(str, cells)) + " |"


def _contract(environment: str, tests: Mapping[str, Any] | None) -> str:
    if tests is None:
        return "not run" if environment.startswith(CONTRACT) else ""
    if "held" not in tests:
        return f"no result: exit {tests['exit']}"
    others = Counter(claim["state"].replace("_", " ") for claim in tests["claims"].values())
    return ", ".join([f"{tests['held']} of {tests['total']} held", *(f"{n} {state}" for state, n in others.items())])


def gpu_runs(record: Mapping[str, Any]) -> str:
    """A row for every version: what its run on a GPU came to, or why there was none."""
    rows = (f"| {version} | {_gpu(found.get('gpu'))} |" for version, found in record["versions"].items())
    return "\n".join(["| lmdeploy | on a GPU |", "| --- | --- |", *rows])


def _gpu(gpu: Mapping[str, Any] | None) -> str:
    if gpu is None:
        return "not run"
    if not gpu["run"]:
        return f"not run: {gpu['why']}"
    outcome = gpu["outcome"].replace("_", " ")
    ran_in = f"torch {gpu['versions']['torch']}, Python {gpu['python']}"
    return f"{outcome}, {gpu['held']} of {gpu['total']} claims; {gpu['gpu']}, {ran_in}, {gpu['date'][:10]}"


def write(record: Mapping[str, Any], document: Path = DOCUMENT) -> None:
    """Make the tables of a document anew."""
    document.write_text(rendered(document.read_text(encoding="utf-8"), record), encoding="utf-8")
