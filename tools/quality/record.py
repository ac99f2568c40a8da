"""The comparison as a committed file: a row for each server, and what artefact verification caught."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pytest
from tests.acceptance.quality.configurations import CONFIGURATIONS

from fixtures.errors import SettingsError
from fixtures.evidence.events import EnvironmentRecorded
from fixtures.run.settings import Settings, shown_command
from tests.acceptance.quality.result import Quality
from tools.records import RECORDS, gpu_slug, write

FILE: Final = "quality.json"
ARTEFACT: Final = "artefact.json"
"""Record of artefact verification; its program writes it, and this one reads two figures from it."""
CORRUPTIONS: Final = ("corruptions_caught", "corruptions")


def of_run(
    checkpoint: str, quality: Quality, environment: EnvironmentRecorded, command: str, now: datetime
) -> dict[str, Any]:
    """One checkpoint's record. `details` holds what the rows have no place for: intervals, parts, times."""
    names = [one.name for one in quality.measured]
    return {
        "command": command,
        "date": now.isoformat(timespec="seconds"),
        "versions": {**environment.versions, "python": environment.python},
        "gpu": {"name": environment.gpu, "driver": environment.driver, "total_mib": environment.gpu_total_mib},
        "rows": [{**quality.row(name), "name": f"{checkpoint} {name}"} for name in names],
        **dict.fromkeys(CORRUPTIONS),
        "runs": {
            checkpoint: {
                "command": command,
                "date": now.isoformat(timespec="seconds"),
                "text": quality.asked.fingerprint,
                "predicted_tokens": sum(tokens for _, tokens in quality.asked.passages),
                "prompts": len(quality.asked.prompts),
                "known": {part: round(quality.knowledge(part), 4) for part in quality.parts},
                "judged": list(quality.known),
                "noise": {
                    "loss_nats_per_token": quality.moved(names[0], names[0], asking=1),
                    "perplexity_ratio": round(quality.ratio(names[0], asking=1).value, 6),
                    "agreement": round(quality.agreement(names[0], asking=1).share, 4),
                },
                "details": {name: quality.details(name) for name in names},
            }
        },
    }


def merged(old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> dict[str, Any]:
    """The new record with the old one's other checkpoints. Runs of another text or other versions are not kept: their
    rows could not be compared."""
    (checkpoint,) = new["runs"]
    if old is None or old["versions"] != new["versions"] or old["gpu"] != new["gpu"]:
        return dict(new)
    kept = {
        name: run
        for name, run in old["runs"].items()
        if name != checkpoint and run["text"] == new["runs"][checkpoint]["text"]
    }
    runs = dict(sorted({**kept, **new["runs"]}.items(), reverse=True))  # the stand-in before the geometry
    rows = {row["name"]: row for row in (*old["rows"], *new["rows"])}
    ordered = [f"{run} {configuration.name}" for run in runs for configuration in CONFIGURATIONS]
    return {
        **new,
        "command": " && ".join(run["command"] for run in runs.values()),
        "rows": [rows[name] for name in ordered if name in rows],
        **{key: old[key] for key in CORRUPTIONS},
        "runs": runs,
    }


def joined(record: Mapping[str, Any], artefact: Mapping[str, Any]) -> dict[str, Any]:
    """The record with the number of corruptions that artefact verification tried, and of those that it caught.

    :raises SettingsError: the other record does not have the two figures.
    """
    missing = [key for key in CORRUPTIONS if key not in artefact]
    if missing:
        raise SettingsError(
            f"the record of artefact verification has no {' and no '.join(missing)}",
            where=str(RECORDS / ARTEFACT),
            remedy="make it again with its own program",
        )
    return {**record, "corruptions_caught": artefact["corruptions_caught"], "corruptions": len(artefact["corruptions"])}


def keep(
    config: pytest.Config,
    settings: Settings,
    folder: Path,
    checkpoint: str,
    quality: Quality,
    environment: EnvironmentRecorded,
) -> None:
    """Write the record beside the events and, for a run on a GPU, among the project's records."""
    made = of_run(
        checkpoint,
        quality,
        environment,
        shlex.join(shown_command(config.invocation_params.args)),
        datetime.now().astimezone(),
    )
    write(folder / FILE, made)
    if environment.gpu and not settings.rehearse:
        file = config.rootpath / RECORDS / f"quality-{gpu_slug(environment.gpu)}.json"
        write(file, merged(read(file), made))


def read(file: Path) -> dict[str, Any] | None:
    """A record; None where there is none."""
    if not file.exists():
        return None
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def join_file(file: Path) -> None:
    """Take over the figures of artefact verification, where its record lies beside this one."""
    record, artefact = read(file), read(file.with_name(ARTEFACT))
    if record is not None and artefact is not None:
        write(file, joined(record, artefact))
