"""The suite's own tests must not depend on the settings of whoever runs them."""

import os
import signal
from pathlib import Path

import pytest

from fixtures.run.options import ENVIRONMENT_PREFIX
from tests.unit.small_suite import SmallSuite

# A shell ignores Ctrl-C for what it starts in the background, and a program's children inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the suite's environment variables away."""
    for name in [name for name in os.environ if name.startswith(ENVIRONMENT_PREFIX)]:
        monkeypatch.delenv(name)


@pytest.fixture
def small_suite(tmp_path: Path) -> SmallSuite:
    """A suite with a deployment in which everything passes."""
    return SmallSuite(tmp_path)
