"""The records of repeated trials: a card's, which is whole, and those of rehearsals by lmdeploy version."""

from collections.abc import Sequence
from typing import Any

import pytest

from fixtures.evidence.events import (
    ClaimsSelected,
    Entry,
    EnvironmentRecorded,
    Event,
    Measured,
    RunStarted,
    TestFinished,
    TryJudged,
)
from fixtures.run.claims import of_suite
from tests.acceptance.depth.record import merged, records

SETTINGS = {"profile": "strict", "checkpoint": "standin", "base_url": None, "quant_policy": 4}
CLAIMS = [claim.id for claim in of_suite("depth")]
ADD = "tools.add_trials"


def strict(claims: Sequence[str], version: str = "0.18.0", **started: Any) -> list[Entry]:
    """A strict run with two trials at each claim, one of them right, and one trial of another suite."""
    happened: list[Event] = [
        RunStarted("run", ["pytest"], {**SETTINGS, **started.pop("settings", {})}, {}, "abc", True, **started),
        EnvironmentRecorded({"lmdeploy": version}, "3.12.3", "Linux", "NVIDIA H100 80GB HBM3", 81559, "580", "13.0"),
        ClaimsSelected([*claims], [], len(claims)),
    ]
    for claim in (*claims, "control.add"):
        happened += [TryJudged(claim, 1, True, "", [], ""), TryJudged(claim, 2, False, "no call", [], "")]
        happened.append(Measured(claim, "temperature", 0.8))
        happened += [TestFinished(f"t::{claim}", claim, when, "passed", 0.1) for when in ("setup", "call", "teardown")]
    return [Entry(0.0, "now", event) for event in happened]


def test_record_of_a_card_has_every_claim_with_its_interval() -> None:
    ((name, record),) = records(strict(CLAIMS)).items()
    assert name == "standin-versions-{gpu}"
    found = record["rows"]["0.18.0"]
    assert (found["served"], [row["claim"] for row in found["claims"]]) == ("w4a16+int4kv", CLAIMS)
    assert found["claims"][0].items() >= {"temperature": 0.8, "k": 1, "n": 2, "lower": 0.0945, "upper": 0.9055}.items()


def test_part_of_the_trials_is_no_record_of_a_card() -> None:
    with pytest.raises(ValueError, match="claims are missing"):
        records(strict([ADD]))


def test_run_of_another_profile_has_no_record() -> None:
    assert records(strict(CLAIMS, settings={"profile": "homework"})) == {}


def test_rehearsed_trials_are_kept_by_version() -> None:
    newer, older = (
        records(strict([ADD], version, rehearsal=True))["standin-versions"] for version in ("0.18.0", "0.9.2")
    )
    made = merged(newer, older)
    assert list(made["rows"]) == ["0.9.2", "0.18.0"]
    assert made["rows"]["0.9.2"]["wrong"] == [{"claim": ADD, "trial": 2, "reason": "no call"}]
