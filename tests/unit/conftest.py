"""The suite's own tests must not depend on the settings of whoever runs them."""

import os

import pytest

from fixtures.options import ENVIRONMENT_PREFIX


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the suite's environment variables away."""
    for name in [name for name in os.environ if name.startswith(ENVIRONMENT_PREFIX)]:
        monkeypatch.delenv(name)
