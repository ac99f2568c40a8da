"""Collecting is quick: no heavy package is imported before a test needs it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from fixtures.session.selection import BY_MARKER, OFF_BY_DEFAULT
from tests.unit.waiting import ROOT

HEAVY: Final = frozenset(
    {"lmdeploy", "torch", "transformers", "scipy", "openai", "playwright", "jsonschema", "aiohttp"}
)

ACCEPTANCE: Final = ROOT / "tests" / "acceptance"

LATE: Final = frozenset(
    {"numpy", "ssl", "filelock", "fixtures.report.page", "fixtures.report.verification", "fixtures.doctor.checks"}
)
"""What an acceptance uses when the server has been launched, or never: the launch would wait for its import."""

CPU_SECONDS: Final = 10.0
"""Meant is one, on an idle machine. Where bytecode is not kept, every assertion is rewritten anew, for several."""

KEPT: Final = 5_000
"""Objects that this run makes when all is collected, as the modules are that tests import."""

COLLECT: Final = """
import gc, json, sys, time, pytest
class Keeps:
    def pytest_sessionfinish(self):
        self.kept = [[] for _ in range(KEPT)]
code = pytest.main(["tests", "--collect-only", "-q", *sys.argv[1:]], plugins=[Keeps()])
print()
found = {"code": int(code), "seconds": time.process_time(), "modules": list(sys.modules), "collector": gc.isenabled()}
found["left"] = len(gc.get_objects())
print(json.dumps(found))
"""


def collected(*options: str) -> dict[str, Any]:
    """What a process that only collects says of itself."""
    argv = [sys.executable, "-c", f"KEPT = {KEPT}\n{COLLECT}", *options]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_collecting_imports_nothing_heavy() -> None:
    found = collected()
    assert "test_tools" not in found["modules"], "no test of a deployment is meant"
    assert found["code"] == pytest.ExitCode.OK
    assert HEAVY & set(found["modules"]) == set()
    assert found["seconds"] < CPU_SECONDS
    assert found["collector"], "switched off while collecting, and left so"
    assert found["left"] < KEPT, "the interpreter would look through them when it ends"


def test_an_acceptance_does_not_import_the_suites_own_tests() -> None:
    modules = collected("-m", "gpu")["modules"]
    assert HEAVY & set(modules) == set()
    assert [name for name in modules if name.startswith("tests.unit.test_")] == []
    assert LATE & set(modules) == set()
    assert "test_tools" in modules


def test_every_test_of_a_deployment_can_be_collected() -> None:
    modules = {path.stem for path in ACCEPTANCE.glob("test_*.py")}
    asked = {marker for path, marker in BY_MARKER.items() if path.startswith("tests/acceptance/")}
    found = set(collected("-m", " or ".join(sorted({"gpu"} | asked)))["modules"])
    assert modules <= found
    assert HEAVY & found == set()


def off_by_default(module: Path) -> set[str]:
    """What the module says of all its tests."""
    (marks,) = re.findall(r"^pytestmark = (.+)", module.read_text(encoding="utf-8"), re.MULTILINE)
    return OFF_BY_DEFAULT & set(re.findall(r"pytest\.mark\.(\w+)", marks))


def test_a_module_whose_marker_is_off_is_not_imported() -> None:
    found = {path.relative_to(ROOT).as_posix(): off_by_default(path) for path in ACCEPTANCE.glob("test_*.py")}
    told = {path: {marker} for path, marker in BY_MARKER.items() if path.startswith("tests/acceptance/")}
    assert {path: off for path, off in found.items() if off} == told
