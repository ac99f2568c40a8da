"""The comparison, made once; a missing package is told before anything is loaded."""

import pytest

from fixtures.errors import AcceptanceError
from fixtures.evidence.events import EnvironmentRecorded
from fixtures.model.checkpoint import Checkpoint
from fixtures.model.plain_copy import plain_copy
from fixtures.model.quantization import QuantizedCheckpoint
from fixtures.run.options import from_config, refusal
from fixtures.run.settings import of_config
from fixtures.server.in_turn import InTurn
from tests.acceptance.bfcl.asking import Plan, compare
from tests.acceptance.bfcl.package import load, read
from tests.acceptance.bfcl.result import Comparison
from tests.acceptance.bfcl.suite import SUITE, Options

REHEARSED = 2
"""Questions of a category in a rehearsal, where one takes seconds, unless --bfcl-sample says how many."""

PLAN = pytest.StashKey[Plan]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Read the questions. Raises pytest.UsageError where the package is missing or of another version."""
    config = session.config
    if config.option.collectonly or not any(item.get_closest_marker(SUITE.mark) for item in session.items):
        return
    settings, options = of_config(config), from_config(config, Options)
    try:
        version = load(settings.work_dir / "bfcl")
    except AcceptanceError as error:
        raise refusal(config, error) from None
    sample = options.bfcl_sample or (REHEARSED if settings.rehearse else None)
    cases = read(options.bfcl_categories.split(","), sample)
    config.stash[PLAN] = Plan(version, cases, options.bfcl_concurrency, sample)


@pytest.fixture(scope="session")
def bfcl(
    request: pytest.FixtureRequest,
    checkpoint: Checkpoint,
    quantized: QuantizedCheckpoint,
    environment: EnvironmentRecorded,
    in_turn: InTurn,
) -> Comparison:
    """What the servers answered. Raises AcceptanceError where one does not start, dies, or answers nothing."""
    plain = plain_copy(checkpoint, in_turn.settings.work_dir / "bfcl", in_turn.capabilities)
    models = {
        "bf16": (plain, checkpoint.fingerprint),
        "w4a16": (quantized.folder, f"{checkpoint.fingerprint} {quantized.made.key}"),
    }
    return compare(in_turn, request.config.stash[PLAN], models, checkpoint.family, environment)
