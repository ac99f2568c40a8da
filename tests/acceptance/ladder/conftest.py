"""Fixtures of the ladder: each rung measured once, and all of them together, whichever worker climbed them."""

import time
from dataclasses import replace
from typing import Any, Final

import pytest

from fixtures.errors import SettingsError
from fixtures.evidence import Evidence, Reading
from fixtures.evidence.events import EnvironmentRecorded
from fixtures.gpu.memory_model import Geometry
from fixtures.gpu.probe import Probe
from fixtures.gpu.sampler import Sampler
from fixtures.model.checkpoint import Checkpoint
from fixtures.model.quantization import QuantizedCheckpoint
from fixtures.run.settings import Settings
from fixtures.server.in_turn import InTurn
from fixtures.session.workers import is_worker
from tests.acceptance.ladder.climb import Ground, climb, fail_to_start
from tests.acceptance.ladder.events import RungClimbed
from tests.acceptance.ladder.rungs import FAILING, RUNGS, SMALL_CARDS, Climbed, FailedStart, Rung

CLIMB_DEADLINE_S: Final = 600.0
"""How long comparisons wait for what other workers still climb: a rung takes one to two minutes on a large card, and a
worker that died leaves its rung for ever."""
POLL_S: Final = 0.5


@pytest.fixture(scope="session")
def ground(
    gpu: Probe | None, sampler: Sampler | None, checkpoint: Checkpoint, settings: Settings, in_turn: InTurn
) -> Ground:
    """What every rung stands on. Raises SettingsError where there is no GPU, or for another model."""
    if gpu is None or sampler is None or checkpoint.geometry != "internlm2_5-1_8b":
        raise SettingsError("ladder_of_another_model", where=f"--checkpoint {settings.checkpoint}")
    alone = replace(in_turn, settings=replace(settings, tp=1, backend="turbomind"))
    return Ground(gpu, sampler, Geometry.of(checkpoint.config), alone)


@pytest.fixture(
    scope="module",
    params=[pytest.param(one, id=one.id, marks=pytest.mark.together(f"rung-{one.id}")) for one in RUNGS + SMALL_CARDS],
)
def climbed(
    request: pytest.FixtureRequest,
    ground: Ground,
    checkpoint: Checkpoint,
    quantized: QuantizedCheckpoint,
    environment: EnvironmentRecorded,  # noqa: ARG001 - for the record
) -> Climbed:
    """A rung, measured: its server has come and gone when the tests look at it."""
    rung: Rung = request.param
    served = checkpoint if rung.configuration.weights == "bf16" else quantized
    return climb(ground, rung, served.folder, served.bytes)


@pytest.fixture(scope="module")
def failed_start(ground: Ground, quantized: QuantizedCheckpoint) -> FailedStart:
    """A server that finds too little memory for its last allocation, and is gone when the tests look at it."""
    return fail_to_start(ground, FAILING, quantized.folder, quantized.bytes)


@pytest.fixture
def rungs(request: pytest.FixtureRequest, evidence: Evidence) -> dict[str, dict[str, Any]]:
    """Rows of all rungs by their ids, for comparisons: they come last, and other workers may still be climbing."""
    log = Reading(evidence.folder)
    deadline = time.monotonic() + (CLIMB_DEADLINE_S if is_worker(request.config) else 0)
    while True:
        events = (entry.event for entry in log.entries())
        found = {event.row["name"]: event.row for event in events if isinstance(event, RungClimbed)}
        missing = [rung.id for rung in RUNGS if rung.id not in found]
        if not missing:
            return found
        if time.monotonic() >= deadline:
            pytest.fail(f"not all rungs were measured in this run; missing: {', '.join(missing)}")
        time.sleep(POLL_S)
