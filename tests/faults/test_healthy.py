"""The other way round: a deployment without a fault is accepted, whatever its model happens to say."""

import shutil
from pathlib import Path

import pytest

from fixtures.report.verification import verify
from tests.faults.catalogue import HEALTHY_RUNS
from tests.faults.environment import Environment
from tests.faults.stage import Outcome, Stage, perform

IN_CI = 4
"""The others run at night: `-m nightly`."""


def accept(outcome: Outcome) -> None:
    """Assert that nothing was found wrong, and nothing left."""
    assert outcome.first_reason() == "accepted", outcome.console[-3000:]
    assert outcome.verdict is not None
    assert outcome.verdict.outcome == "accepted_with_standin"
    assert outcome.exit_code == 0
    assert not outcome.leftovers
    assert "</html>" in outcome.page
    assert outcome.folder is not None
    check = verify(outcome.folder)
    assert check.problems == ()
    assert [note.id for note in check.notes if note.id != "seal.other_version"] == ["again.not"]


@pytest.mark.faults
def test_a_run_from_an_empty_cache_is_accepted(healthy: Outcome) -> None:
    accept(healthy)


@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(seed, marks=pytest.mark.faults if seed < IN_CI else pytest.mark.nightly)
        for seed in range(HEALTHY_RUNS)
    ],
)
def test_a_healthy_run_is_accepted(
    seed: int, environment: Environment, cache: Path, tmp_path: Path, record_property: pytest.FixtureRequest
) -> None:
    stage = Stage(tmp_path, environment, "")
    stage.variables["FAULT_SEED"] = str(seed)
    shutil.copytree(cache, stage.work, dirs_exist_ok=True)
    outcome = perform(stage, None)
    record_property("healthy", seed)
    record_property("leftovers", list(outcome.leftovers))
    accept(outcome)
    shutil.rmtree(tmp_path)
