"""The comparison of quality, made once."""

import pytest

from fixtures.evidence.events import EnvironmentRecorded
from fixtures.gpu.memory_model import Geometry
from fixtures.model.checkpoint import Checkpoint
from fixtures.model.plain_copy import plain_copy
from fixtures.model.quantization import QuantizedCheckpoint
from fixtures.server.in_turn import InTurn
from tests.acceptance.quality.asking import compare
from tests.acceptance.quality.result import Quality


@pytest.fixture(scope="session")
def quality(
    checkpoint: Checkpoint,
    quantized: QuantizedCheckpoint,
    environment: EnvironmentRecorded,  # noqa: ARG001 - for the record
    in_turn: InTurn,
) -> Quality:
    """What the servers answered. Raises AcceptanceError where one does not start, dies, or does not answer."""
    store = in_turn.settings.work_dir / "quality"
    plain = plain_copy(checkpoint, store, in_turn.capabilities)
    return compare(in_turn, Geometry.of(checkpoint.config), plain, quantized.folder)
