"""What every run under a fault needs: an environment with the stand-in, and a cache that was filled once."""

from pathlib import Path

import pytest

from tests.faults.environment import Environment, create
from tests.faults.stage import Outcome, Stage, perform


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The environment of the inner runs."""
    return create(tmp_path_factory.mktemp("environment") / "venv")


@pytest.fixture(scope="session")
def healthy(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """A run without a fault, from an empty cache."""
    return perform(Stage(tmp_path_factory.mktemp("healthy"), environment, ""), None)


@pytest.fixture(scope="session")
def cache(healthy: Outcome) -> Path:
    """The work directory of the healthy run."""
    assert healthy.folder is not None, healthy.console
    return healthy.folder.parents[1] / "work"
