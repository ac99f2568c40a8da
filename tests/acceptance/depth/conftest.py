"""Fixtures of this suite."""

import json
from pathlib import Path

import pytest

from fixtures.model.quantization import QuantizedCheckpoint
from fixtures.run.measurement import not_measured
from fixtures.run.settings import Settings


@pytest.fixture(scope="session")
def context_tokens(request: pytest.FixtureRequest, settings: Settings) -> int:
    """Longest session of the server: as set, else what the checkpoint says of itself, as lmdeploy takes it."""
    if settings.session_len is not None:
        return settings.session_len
    if settings.base_url is not None:
        not_measured("context_unknown")
    quantized: QuantizedCheckpoint = request.getfixturevalue("quantized")
    config = json.loads((Path(quantized.folder) / "config.json").read_text(encoding="utf-8"))
    return int(config["max_position_embeddings"])
