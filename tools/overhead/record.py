"""The record of what the suite costs: every run's seconds, and the medians of the pairs' ratios."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from fixtures.evidence.events import EnvironmentRecorded
from tools.overhead.pairs import BAR, KINDS, Run, Slot, median_ratio, ratios
from tools.records import gpu_slug, head


def record(
    runs: Sequence[Run], checkpoint: str, environment: EnvironmentRecorded, command: str, now: datetime
) -> dict[str, Any]:
    """As it is committed. Seconds on the wall clock; a run that was not whole is in `runs` and in no ratio."""
    return {**head(environment, command, now), "checkpoint": checkpoint, **figures(runs)}


def figures(runs: Sequence[Run]) -> dict[str, Any]:
    """The runs, the pairs' ratios and their medians."""
    return {
        "bar": BAR,
        "runs": [_to_json(run) for run in runs],
        **{f"ratios_{kind}": [round(ratio, 4) for ratio in ratios(runs, kind)] for kind in KINDS},
        **{f"ratio_{kind}": median_ratio(runs, kind) for kind in KINDS},
    }


def _to_json(run: Run) -> dict[str, Any]:
    return {
        **asdict(run.slot),
        "seconds": run.seconds,
        "exit_code": run.exit_code,
        "whole": run.whole,
        "requests": run.requests,
        **({"stages": run.stages} if run.stages else {}),
    }


def run_from_json(value: Mapping[str, Any]) -> Run:
    """The inverse of what a record holds of a run. Raises KeyError where it holds less."""
    return Run(
        Slot(value["kind"], value["pair"], value["side"]),
        seconds=value["seconds"],
        exit_code=value["exit_code"],
        requests=value["requests"],
        stages=value.get("stages", {}),
        whole=value["whole"],
    )


def file_name(gpu: str) -> str:
    """`NVIDIA H100 80GB HBM3` -> `overhead-h100-80gb-hbm3.json`; without a GPU `overhead-cpu.json`."""
    return f"overhead-{gpu_slug(gpu) if gpu else 'cpu'}.json"
