"""Collecting is quick: no heavy package is imported before a test needs it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Final

import pytest

from tests.unit.waiting import ROOT

HEAVY: Final = frozenset({"lmdeploy", "torch", "transformers", "scipy", "openai", "playwright", "jsonschema"})

CPU_SECONDS: Final = 10.0
"""Meant is one, on an idle machine. Where bytecode is not kept, every assertion is rewritten anew, for several."""

COLLECT: Final = """
import json, sys, time, pytest
code = pytest.main(["tests", "--collect-only", "-q"])
print()
print(json.dumps({"code": int(code), "seconds": time.process_time(), "modules": list(sys.modules)}))
"""


def test_collecting_imports_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-c", COLLECT], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["code"] == pytest.ExitCode.OK
    assert HEAVY & set(found["modules"]) == set()
    assert found["seconds"] < CPU_SECONDS
