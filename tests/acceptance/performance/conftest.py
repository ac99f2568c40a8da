"""Fixtures of performance: each server measured once, and all of them together."""

import pytest

from fixtures.evidence.events import EnvironmentRecorded
from fixtures.gpu.memory_model import Geometry
from fixtures.gpu.probe import Probe
from fixtures.model.checkpoint import Checkpoint
from fixtures.model.quantization import QuantizedCheckpoint
from fixtures.server.in_turn import Configuration, InTurn
from tests.acceptance.performance.measuring import SERVED, Row, measure


@pytest.fixture(scope="session")
def servers() -> dict[str, Row]:
    """Rows of what was measured so far, by the configuration's id."""
    return {}


@pytest.fixture(scope="module", params=SERVED, ids=lambda configuration: configuration.id)
def measured(
    request: pytest.FixtureRequest,
    gpu: Probe | None,
    checkpoint: Checkpoint,
    quantized: QuantizedCheckpoint,
    environment: EnvironmentRecorded,  # noqa: ARG001 - for the record
    in_turn: InTurn,
    servers: dict[str, Row],
) -> Row:
    """A server under load: it has come and gone when the tests look at it."""
    configuration: Configuration = request.param
    known = checkpoint.geometry == "internlm2_5-1_8b" and in_turn.settings.backend == "turbomind"
    geometry = Geometry.of(checkpoint.config) if known and gpu is not None else None
    folder = checkpoint.folder if configuration.weights == "bf16" else quantized.folder
    servers[configuration.id] = measure(in_turn, configuration, folder, geometry)
    return servers[configuration.id]
