"""Collecting is quick: no heavy package is imported before a test needs it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any, Final

import pytest

from tests.unit.waiting import ROOT

HEAVY: Final = frozenset(
    {"lmdeploy", "torch", "transformers", "scipy", "openai", "playwright", "jsonschema", "aiohttp"}
)

CPU_SECONDS: Final = 10.0
"""Meant is one, on an idle machine. Where bytecode is not kept, every assertion is rewritten anew, for several."""

COLLECT: Final = """
import gc, json, sys, time, pytest
code = pytest.main(["tests", "--collect-only", "-q", *sys.argv[1:]])
print()
found = {"code": int(code), "seconds": time.process_time(), "modules": list(sys.modules), "collector": gc.isenabled()}
print(json.dumps(found))
"""


def collected(*options: str) -> dict[str, Any]:
    """What a process that only collects says of itself."""
    argv = [sys.executable, "-c", COLLECT, *options]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_collecting_imports_nothing_heavy() -> None:
    found = collected()
    assert found["code"] == pytest.ExitCode.OK
    assert HEAVY & set(found["modules"]) == set()
    assert found["seconds"] < CPU_SECONDS
    assert found["collector"], "switched off while collecting, and left so"


def test_an_acceptance_does_not_import_the_suites_own_tests() -> None:
    modules = collected("-m", "gpu")["modules"]
    assert HEAVY & set(modules) == set()
    assert [name for name in modules if name.startswith("tests.unit.test_")] == []
    assert "test_tools" in modules
