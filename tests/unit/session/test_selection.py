"""What a run collects, in which order, and without importing what it does not need."""

import itertools
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from fixtures.homework import CLAIMS
from fixtures.session.expression import asks_for, selects
from fixtures.session.selection import as_decided
from fixtures.suites import FOLDER, names, suites
from tests.unit.waiting import ROOT

HEAVY: Final = frozenset(
    {"lmdeploy", "torch", "transformers", "scipy", "openai", "playwright", "jsonschema", "aiohttp"}
)
LATE: Final = frozenset({"numpy", "fixtures.report.page", "fixtures.evidence.seal", "fixtures.doctor.checks"})
"""What an acceptance uses when the server has been launched, or never: the launch would wait for its import."""

COLLECT: Final = """
import gc, json, sys, pytest

class Turns:
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items):
        yield
        items.reverse()  # as pytest-randomly may

    def pytest_collection_finish(self, session):
        self.tests = [item.nodeid for item in session.items]

turns = Turns()
pytest.main(["tests", "--collect-only", "-qq", *sys.argv[1:]], plugins=[turns])
print()
print(json.dumps({"tests": turns.tests, "modules": list(sys.modules), "collector": gc.isenabled()}))
"""


def collected(folder: Path, *options: str) -> dict[str, Any]:
    """Tell what a process that only collects says of itself; the peak's test has failed last time."""
    failed = folder / "v" / "cache" / "lastfailed"
    failed.parent.mkdir(parents=True)
    failed.write_text(json.dumps({"tests/acceptance/test_vram.py::test_vram_at_peak_is_below_the_threshold": True}))
    argv = [sys.executable, "-c", COLLECT, *options, "-o", f"cache_dir={folder}"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize(
    ("expression", "asks", "selected"),
    [
        ("gpu", True, True),
        ("not gpu", False, False),
        ("gpu and not slow", True, True),
        ("gpu and slow", True, False),
        ("slow or gpu", True, True),
        ("slow", False, False),
        ("", False, True),
        ("gpu and", False, True),
    ],
)
def test_mark_expression_is_read_as_pytest_reads_it(expression: str, asks: bool, selected: bool) -> None:
    assert (asks_for(expression, "gpu"), selects(expression, "gpu")) == (asks, selected)


def test_own_tests_do_not_import_a_deployments(tmp_path: Path) -> None:
    found = collected(tmp_path, "-m", "unit")
    assert HEAVY & set(found["modules"]) == set()
    assert "tests.acceptance.test_tools" not in found["modules"]
    assert found["collector"], "switched off while collecting, and left so"


@pytest.mark.parametrize(("language", "words", "place"), [("zh", "没有运行", "."), ("en", "no acceptance ran", "docs")])
def test_plain_pytest_runs_nothing_and_says_what_to_type(tmp_path: Path, language: str, words: str, place: str) -> None:
    options = ["--checkpoint=/some model", "--report-lang", language, "-o", f"cache_dir={tmp_path}"]
    argv = [sys.executable, "-m", "pytest", *options]
    done = subprocess.run(argv, cwd=ROOT / place, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED
    (said,) = (line for line in done.stdout.splitlines() if words in line)
    assert f"pytest -m gpu '--checkpoint=/some model' --report-lang {language} -o" in said
    assert ("cd " in done.stdout) == (place != ".")


def test_acceptance_imports_nothing_that_a_launch_would_wait_for(tmp_path: Path) -> None:
    """Nor does `--failed-first` or a plugin change the order: a peak that is looked at before the load is none."""
    found = collected(tmp_path, "-m", "gpu", "--failed-first")
    assert (HEAVY | LATE) & set(found["modules"]) == set()
    assert [name for name in found["modules"] if name.startswith("tests.unit.test_")] == []
    assert {f"tests.acceptance.{name}.conftest" for name in names()} & set(found["modules"]) == set()
    assert "tests.acceptance.test_tools" in found["modules"]
    last = [test.partition("::")[2] for test in found["tests"][-2:]]
    assert last == ["test_vram_at_peak_is_below_the_threshold", "test_vram_is_released_after_stop"]


def test_every_test_of_a_deployment_is_collected_where_its_suite_is_asked_for(tmp_path: Path) -> None:
    marks = " or ".join(suite.mark for suite in suites().values())
    modules = {path.stem for path in (*FOLDER.glob("test_*.py"), *FOLDER.glob("*/test_*.py"))}
    found = {name.rpartition(".")[2] for name in collected(tmp_path, "-m", marks)["modules"]}
    assert modules - found == set()


def test_tests_of_one_server_or_fault_come_together(tmp_path: Path) -> None:
    """Else it would be started again for each of them."""
    tests = "\n".join(collected(tmp_path, "-m", "ladder or performance or gpu_faults")["tests"])
    found = re.findall(r"(/test_\w+\.py)::(?:TestEachRung::)?\w+\[([\w.-]+)\]", tests)
    shared = [one for one in found if one[1] not in ("int8", "int4")]
    groups = [group for group, _ in itertools.groupby(shared)]
    assert len(groups) == len(set(groups)) > 10, tests


def test_story_is_decided_behind_the_calls_and_before_the_memory_that_both_took() -> None:
    order = as_decided()
    assert sorted(order) == sorted(CLAIMS)
    parts = [id_.partition(".")[0] for id_ in order]
    assert list(dict.fromkeys(parts)) == ["environment", "quantization", "server", "tools", "chat", "vram"]
