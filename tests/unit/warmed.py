"""What the fork server of `pytest_processes` imports before it forks: pytest, the suite's plugins, and their report."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from importlib import import_module

import pytest

from fixtures.run.claims import of_suite
from fixtures.suites import HOMEWORK
from tests.unit.pytest_processes import LATE, PLUGINS, SOME


def warm() -> None:
    """Run a pytest that finds no test: pytest itself must import a plugin, to rewrite its assertions."""
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    plugins = [word for name in (*PLUGINS, *SOME) for word in ("-p", name)]
    with tempfile.TemporaryDirectory() as empty, contextlib.redirect_stdout(io.StringIO()):
        pytest.main([*plugins, "--capture=no", "-m", "not gpu", "-c", os.devnull, "--rootdir", empty, empty])
    for name in LATE:
        import_module(name)
    of_suite(HOMEWORK.id)


warm()
