"""A small acceptance suite for pytester: one test for each claim of the homework, with a made-up deployment."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from fixtures.homework import CLAIMS
from fixtures.judge.verdict import Verdict, judge
from fixtures.run.options import ENVIRONMENT_PREFIX
from tests.unit.pytest_processes import PytestProcess, run, start
from tests.unit.report import synthetic

ROOT = Path(__file__).parents[3]

CONFTEST = """
import pytest
from fixtures.evidence.events import ClaimsSelected, RunFinished, RunStarted, TestFinished, TryJudged
from tests.unit.report import hostile, synthetic
from tests.unit.pytest_processes import PLUGINS

NOT_OURS = (RunStarted, ClaimsSelected, TestFinished, RunFinished)


def pytest_addoption(pluginmanager):
    for name in PLUGINS:  # as the suite's own conftest does
        pluginmanager.import_plugin(name)


@pytest.fixture(scope="session")
def deployment(evidence):
    for _, event in {events}:
        if not isinstance(event, NOT_OURS) and not hasattr(event, "claim") or isinstance(event, TryJudged):
            evidence.append(event)
    yield
"""

INI = """
[pytest]
markers = gpu: the homework's claims
addopts = -m "not gpu" -p no:cacheprovider
"""


GPU = ("-m", "gpu", "--report-pictures", "off")


def claim_test(claim: str, body: str = "", arguments: str = "deployment, measure") -> str:
    """A test of one claim that measures 1 and then does what `body` says."""
    name = claim.replace(".", "_")
    return (
        f'\n@pytest.mark.gpu\n@pytest.mark.claim("{claim}")\ndef test_{name}({arguments}):\n'
        f'    measure("size", 1, "MiB", at_most=2)\n    {body or "pass"}\n'
    )


def suite(bodies: dict[str, str] | None = None, without: tuple[str, ...] = ()) -> str:
    """A module with a test for every claim; `bodies` says what single tests do, `without` leaves some out."""
    bodies = bodies or {}
    tests = [claim_test(claim, bodies.get(claim, "")) for claim in CLAIMS if claim not in without]
    return "import os, sys, signal, time\nimport pytest\n" + "".join(tests)


class Inner:
    """Runs the small suite in a process of its own and reads what it left."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "pytest.ini").write_text(INI, encoding="utf-8")
        self.deploy("synthetic.events()")

    def deploy(self, events: str) -> None:
        """From now on the made-up deployment does what this expression says."""
        (self.path / "conftest.py").write_text(CONFTEST.replace("{events}", events), encoding="utf-8")

    def run(self, module: str, *arguments: str) -> pytest.RunResult:
        """`pytest -m gpu` on a module."""
        self._write(module)
        return run(self.path, *GPU, *arguments)

    def start(self, module: str) -> PytestProcess:
        """The same, and not to its end."""
        self._write(module)
        return start(self.path, *GPU)

    def _write(self, module: str) -> None:
        (self.path / "test_homework.py").write_text(module, encoding="utf-8")

    @property
    def folder(self) -> Path:
        """The one folder of evidence."""
        (found,) = (self.path / "evidence").iterdir()
        return found

    @property
    def verdict(self) -> Verdict:
        """The verdict from the log."""
        from fixtures.evidence import read

        return judge(read(self.folder))

    @property
    def page(self) -> str:
        """The report's HTML."""
        return (self.folder / "report.html").read_text(encoding="utf-8")

    @property
    def codes(self) -> list[str]:
        """The codes of the reasons, in order."""
        return [reason.code for reason in self.verdict.reasons]


def set_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Set the environment of the small suite, and of the workers that it starts."""
    for name in [name for name in os.environ if name.startswith(ENVIRONMENT_PREFIX)]:
        monkeypatch.delenv(name)
    # Only the plugins that matter here: a process for each run is dear enough.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    if sys.dont_write_bytecode:
        # Compiled once for all of them, wherever the outer run may write.
        monkeypatch.delenv("PYTHONDONTWRITEBYTECODE")
        monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path_factory.getbasetemp() / "compiled"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), *filter(None, sys.path)]))


@pytest.fixture
def inner(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Inner:
    """The small suite, with a deployment in which everything passes."""
    set_environment(monkeypatch, tmp_path_factory)
    return Inner(pytester.path)


__all__ = ["Inner", "claim_test", "inner", "set_environment", "suite", "synthetic"]
