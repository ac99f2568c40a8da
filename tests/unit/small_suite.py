"""A small acceptance suite in a pytest of its own: a test for each claim of the homework, with a made-up deployment."""

from pathlib import Path

import pytest

from fixtures.evidence import Evidence, read
from fixtures.evidence.events import CheckpointIdentified, ServerLaunched, ServerReady, ServerStopped
from fixtures.homework import CLAIMS
from fixtures.judge.verdict import Verdict, judge
from tests.unit.pytest_processes import run
from tests.unit.report import synthetic

CONFTEST = """
import pytest
from tests.unit.pytest_processes import PLUGINS
from tests.unit.small_suite import deploy

pytest_plugins = PLUGINS

@pytest.fixture(scope="session")
def deployment(evidence):
    deploy(evidence)
"""
INI = """
[pytest]
addopts = -m "not gpu" -p no:cacheprovider
"""
HEAD = """
import os, signal, sys, time
import pytest
from fixtures.run.claims import Claim, declared
"""
GPU = ("-m", "gpu", "--report-pictures", "off")


def deploy(evidence: Evidence) -> None:
    """Log what the homework's deployment logs, of the real model."""
    for kind in (CheckpointIdentified, ServerLaunched, ServerReady, ServerStopped):
        evidence.append(synthetic.first(kind))


def claim_test(id_: str, body: str = "", claim: str = "") -> str:
    """Write a test of one claim that measures 1 and then does what `body` says."""
    return (
        f"\n@pytest.mark.gpu\n@pytest.mark.claim({claim or f'declared({id_!r})'})\n"
        f"def test_{id_.replace('.', '_')}(deployment, measure):\n"
        f'    measure("size", 1, "MiB", at_most=2)\n    {body or "pass"}\n'
    )


def suite(bodies: dict[str, str] | None = None, without: tuple[str, ...] = ()) -> str:
    """Write a module with a test for every claim; `bodies` says what single tests do, `without` leaves some out."""
    return HEAD + "".join(claim_test(id_, (bodies or {}).get(id_, "")) for id_ in CLAIMS if id_ not in without)


class SmallSuite:
    """Runs the suite in a process of its own and reads what it left."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "pytest.ini").write_text(INI, encoding="utf-8")
        (path / "conftest.py").write_text(CONFTEST, encoding="utf-8")

    def run(self, module: str, *arguments: str) -> pytest.RunResult:
        """Run `pytest -m gpu` on a module."""
        (self.path / "test_homework.py").write_text(module, encoding="utf-8")
        return run(self.path, *GPU, *arguments)

    @property
    def folder(self) -> Path:
        """The one folder of evidence."""
        (found,) = (self.path / "evidence").iterdir()
        return found

    @property
    def verdict(self) -> Verdict:
        """The verdict from the log."""
        return judge(read(self.folder))

    @property
    def page(self) -> str:
        """The report's HTML."""
        return (self.folder / "report.html").read_text(encoding="utf-8")

    @property
    def codes(self) -> list[str]:
        """The codes of the reasons, in order."""
        return [reason.code for reason in self.verdict.reasons]
