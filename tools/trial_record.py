"""The trials of a run as a small JSON file: what was asked how often, how often it was right, and on what."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from fixtures.ask.questions import TOPICS
from fixtures.evidence.events import EnvironmentRecorded
from fixtures.evidence.log import TRIALS_FILE
from fixtures.evidence.redaction import Private
from fixtures.judge.paired import Paired
from fixtures.judge.profile import SEED
from fixtures.judge.trials import wilson
from fixtures.run.settings import Settings, shown_command
from tools.records import RECORDS, gpu_slug, slug, write

EVERY_RUN_HAS: Final = frozenset(topic.claim for topic in TOPICS if topic.result_role is None)
"""Claims without which a record would be of a part of the suite, and must not take the whole one's place."""


@dataclass(frozen=True)
class Row:
    """`k` of `n` trials at a claim were right; `lower` and `upper` bound the rate, 0 to 1, at 95 %."""

    claim: str
    temperature: float
    k: int
    n: int
    lower: float
    upper: float

    @staticmethod
    def of(claim: str, temperature: float, right: int, trials: int) -> Row:
        """The row, with its Wilson interval."""
        found = wilson(right, trials)
        return Row(claim, temperature, right, trials, round(found.lower, 4), round(found.upper, 4))


class TrialRecord:
    """Collects rows while the run goes on. A run without trials writes nothing."""

    def __init__(self, settings: Settings, arguments: Sequence[str | os.PathLike[str]]) -> None:
        self._settings = settings
        self._command = shlex.join(shown_command(arguments))
        self._environment: EnvironmentRecorded | None = None
        self._rows: list[Row] = []
        self._control: list[dict[str, Any]] = []

    def add(self, row: Row) -> None:
        """A claim's trials on the server that is judged."""
        self._rows.append(row)

    def add_control(self, claim: str, temperature: float, paired: Paired) -> None:
        """A claim's trials on both servers."""
        found = paired.interval()
        self._control.append(
            {
                "claim": claim,
                "temperature": temperature,
                "n": paired.trials,
                "unquantized": paired.control,
                "quantized": paired.quantized,
                **asdict(paired),
                "cost": round(paired.cost, 4),
                "lower": round(found.lower, 4),
                "upper": round(found.upper, 4),
                "mcnemar_p": round(paired.p_value, 6),
            }
        )

    def on(self, environment: EnvironmentRecorded) -> None:
        """The machine and the versions, where they are known."""
        self._environment = environment

    def content(self, now: datetime) -> dict[str, Any]:
        """The record's JSON object."""
        environment = self._environment
        return {
            "command": self._command,
            "date": now.isoformat(timespec="seconds"),
            "versions": {**environment.versions, "python": environment.python} if environment else {},
            "gpu": {"name": environment.gpu, "driver": environment.driver} if environment else {},
            "checkpoint": self._settings.shown()["checkpoint"],
            "served": served(self._settings),
            "profile": self._settings.profile,
            "seed": SEED,
            "claims": [asdict(row) for row in self._rows],
            "control": self._control,
        }

    def write(self, folder: Path, root: Path, private: Private) -> None:
        """Write the record beside the events and, for a whole strict run on a GPU, among the project's records.

        :param private: left out: the command line may hold folders.
        """
        if not self._rows and not self._control:
            return
        content = self.content(datetime.now().astimezone())
        write(folder / TRIALS_FILE, content, private)
        gpu = self._environment.gpu if self._environment else ""
        whole = {row.claim for row in self._rows} >= EVERY_RUN_HAS
        if self._settings.profile == "strict" and gpu and whole:
            name = f"trials-{slug(self._settings.shown()['checkpoint'])}-{gpu_slug(gpu)}.json"
            write(root / RECORDS / name, content, private)


def served(settings: Settings) -> str:
    """How the judged server holds weights and cache, such as `w4a16+int4kv`."""
    if settings.base_url is not None:
        return "external"
    cache = {0: "16-bit kv", 4: "int4kv", 8: "int8kv"}[settings.quant_policy]
    return f"w4a16+{cache}"
