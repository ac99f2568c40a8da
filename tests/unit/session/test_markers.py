"""The order in which the homework's claims are decided."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from fixtures.run.claims import HOMEWORK
from fixtures.session.selection import as_decided
from tests.unit.waiting import ROOT

TURNED = """
import pytest

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items):
    yield
    items.reverse()
"""
"""A plugin that has its own idea of the order, as pytest-randomly has."""


def collected(folder: Path, *options: str) -> list[str]:
    """Ids of the acceptance tests in the order in which they would run; the peak's failed last time."""
    failed = folder / "cache" / "v" / "cache" / "lastfailed"
    failed.parent.mkdir(parents=True)
    failed.write_text(json.dumps({"tests/acceptance/test_vram.py::test_vram_at_peak_is_below_the_threshold": True}))
    (folder / "turned.py").write_text(TURNED)
    argv = [sys.executable, "-m", "pytest", "tests/acceptance", "-m", "gpu", "--collect-only", "-q", *options]
    done = subprocess.run(
        [*argv, "-o", f"cache_dir={folder / 'cache'}"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return [line for line in done.stdout.splitlines() if "::" in line]


def test_the_story_is_decided_behind_the_calls_and_before_the_memory_that_both_took() -> None:
    order = as_decided()
    assert sorted(order) == sorted(claim.id for claim in HOMEWORK)
    parts = [id_.partition(".")[0] for id_ in order]
    assert list(dict.fromkeys(parts)) == ["environment", "quantization", "server", "tools", "chat", "vram"]


def test_nobody_else_changes_it(tmp_path: Path) -> None:
    """A peak that is looked at before the load is none: with --failed-first one that was too high would hold."""
    tests = collected(tmp_path / "usual")
    assert collected(tmp_path / "failed-first", "--failed-first") == tests
    assert collected(tmp_path / "plugin", "-p", "turned") == tests
    assert [test.rpartition("::")[2] for test in tests[-2:]] == [
        "test_vram_at_peak_is_below_the_threshold",
        "test_vram_is_released_after_stop",
    ]
