"""Fixtures of the faults: each done once, to a run of its own."""

import pytest

from fixtures.evidence import Evidence
from fixtures.evidence.events import EnvironmentRecorded
from fixtures.gpu.probe import Probe
from fixtures.run.measurement import not_measured
from fixtures.run.progress import Progress
from fixtures.run.settings import Settings
from tests.acceptance.gpu_faults.events import FaultSuffered
from tests.acceptance.gpu_faults.faults import FAULTS, Fault, Place, Suffered, suffer


@pytest.fixture(scope="session")
def place(
    request: pytest.FixtureRequest,
    gpu: Probe | None,
    environment: EnvironmentRecorded,  # noqa: ARG001 - for the record
    settings: Settings,
    evidence: Evidence,
) -> Place:
    """A folder beside this run's evidence, with one in it for every run that is struck."""
    return Place(request.config.rootpath, evidence.folder.with_name(f"{evidence.folder.name}-struck"), gpu, settings)


@pytest.fixture(scope="module", params=FAULTS, ids=lambda fault: fault.id)
def suffered(request: pytest.FixtureRequest, place: Place, progress: Progress, evidence: Evidence) -> Suffered:
    """A run that was struck: it and its server are gone when the tests look at what is left."""
    fault: Fault = request.param
    if fault.short_of_memory and place.probe is None:
        not_measured("no_gpu")
    with progress.stage(fault.id):
        found = suffer(place, fault)
    evidence.append(FaultSuffered(found.row()))
    return found
