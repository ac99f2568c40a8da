"""Mutation testing: which wrong lines of `fixtures/` would the suite's own tests let pass?

    python -m tools.mutation

runs mutmut (`setup.cfg` says on what) and writes `docs/records/mutation.json` and `docs/mutation.md`. A run that was
cut off goes on where it stopped; what has been decided is decided again only where its function or its tests changed.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
RESULTS: Final = ROOT / "mutants"
RECORD: Final = ROOT / "docs" / "records" / "mutation.json"
TABLE: Final = ROOT / "docs" / "mutation.md"

COMMAND: Final = ("mutmut", "run")

SURVIVED: Final = (0, 5, 33)
"""Exit codes that mutmut keeps: pytest's for tests that all passed and for no test, and its own for a function that no
test calls."""

UNDECIDED: Final = (None, 2, 34)
"""Not tried yet, interrupted, left out. Whatever else is an error or a timeout: the mutant was noticed."""

TEXT: Final = """\
# Mutation testing

One place of a function is changed at a time, and the tests that call it are run: a change that no test notices
*survives*. It means that an assertion is missing, or that the change makes no difference. Tried are the modules in
which a wrong line would let a broken deployment pass or doubt a right one. [mutmut](https://github.com/boxed/mutmut)
{mutmut} changes bodies of functions, not the constants of a module nor functions with a decorator (such as properties).
Lines that say an error's `where` and `remedy` are left out.

Python {python}, {date}; made by `tox run -e mutation`, raw data in [`records/mutation.json`](records/mutation.json).

| module | mutants | noticed | survived | score |
| --- | --- | --- | --- | --- |
{rows}

`mutmut show NAME` prints a survivor's change; their names are in the record.
"""


@dataclass(frozen=True)
class Score:
    """A module's mutants: how many were tried, how many of them noticed, and the names of those that survived."""

    module: str
    mutants: int
    noticed: int
    survivors: tuple[str, ...]

    @property
    def share(self) -> float:
        """Of the mutants that were noticed, 0 to 1."""
        return self.noticed / self.mutants if self.mutants else 1.0


def score(module: str, exit_codes: Mapping[str, int | None]) -> Score:
    """The score from the exit code of the tests for each mutant.

    :raises ValueError: some mutants have not been tried.
    """
    undecided = [name for name, code in exit_codes.items() if code in UNDECIDED]
    if undecided:
        raise ValueError(f"{len(undecided)} mutants of {module} have not been tried, the first is {undecided[0]}")
    survivors = tuple(name for name, code in exit_codes.items() if code in SURVIVED)
    return Score(module, len(exit_codes), len(exit_codes) - len(survivors), survivors)


def read(results: Path) -> list[Score]:
    """The scores of all modules, worst first.

    :raises ValueError: there are none, or some mutants have not been tried.
    """
    scores = []
    for file in sorted(results.glob("**/*.py.meta")):
        exit_codes = json.loads(file.read_text(encoding="utf-8"))["exit_code_by_key"]
        if exit_codes:
            scores.append(score(file.relative_to(results).as_posix().removesuffix(".meta"), exit_codes))
    if not scores:
        raise ValueError(f"no results in {results.name}/")
    return sorted(scores, key=lambda found: (found.share, found.module))


def record(scores: list[Score], now: datetime) -> dict[str, Any]:
    """The record's JSON object."""
    versions = {name: importlib.metadata.version(name) for name in ("mutmut", "pytest")}
    return {
        "command": "tox run -e mutation",
        "date": now.isoformat(timespec="seconds"),
        "versions": {**versions, "python": platform.python_version()},
        "hardware": {"machine": platform.machine(), "processors": os.cpu_count()},
        "mutants": sum(found.mutants for found in scores),
        "noticed": sum(found.noticed for found in scores),
        "modules": [{**asdict(found), "score": round(found.share, 4)} for found in scores],
    }


def table(made: Mapping[str, Any]) -> str:
    """The document, from the record alone."""
    modules = [(row["module"], row["mutants"], row["noticed"]) for row in made["modules"]]
    modules.append(("all", made["mutants"], made["noticed"]))
    rows = [f"| {name} | {n} | {k} | {n - k} | {100 * k / n:.1f} % |" for name, n, k in modules]
    versions = made["versions"]
    return TEXT.format(
        mutmut=versions["mutmut"], python=versions["python"], date=made["date"][:10], rows="\n".join(rows)
    )


def main() -> int:
    """Run mutmut and write the record; returns the exit status."""
    done = subprocess.run([sys.executable, "-m", *COMMAND], cwd=ROOT, check=False)
    if done.returncode != 0:
        return done.returncode
    made = record(read(RESULTS), datetime.now().astimezone())
    RECORD.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    TABLE.write_text(table(made), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
