"""A claim about what the version lacks is skipped before anything starts, and what is adapted is in the evidence."""

from importlib import import_module
from pathlib import Path

import pytest

from fixtures.evidence import read
from fixtures.evidence.events import Adapted
from fixtures.judge.verdict import Happened, judge_claim
from fixtures.lmdeploy.capabilities import NEWEST_TRIED
from fixtures.run.claims import Claim

CONTRACTS = sorted((Path(__file__).parents[2] / "contracts").glob("test_*.py"))

CONFTEST = """
import pytest
pytest_plugins = [
    "fixtures.run.options", "fixtures.run.settings", "fixtures.session.recording", "fixtures.run.measurement",
    "fixtures.lmdeploy.plugin", "fixtures.model.checkpoint",
]

@pytest.fixture
def server():
    raise AssertionError("a server was started")
"""
INI = """
[pytest]
markers = gpu: gpu
addopts = -p no:cacheprovider
"""
TESTS = """
import pytest
from fixtures.run.claims import Claim

pytestmark = pytest.mark.gpu

@pytest.mark.claim(Claim("tools.streamed", part="tools"))
def test_streamed(server):
    pass

@pytest.mark.claim(Claim("tools.add", part="tools"))
def test_offered(capabilities):
    pass
"""


def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, version: str, *arguments: str) -> Happened:
    """The events of a run under a version of lmdeploy."""
    monkeypatch.setattr("fixtures.lmdeploy.capabilities.installed_version", lambda: version)
    pytester.makeconftest(CONFTEST)
    pytester.makeini(INI)
    pytester.makepyfile(test_it=TESTS)
    pytester.runpytest_inprocess("-m", "gpu", *arguments)
    (folder,) = (pytester.path / "evidence").iterdir()
    return Happened(tuple(read(folder)))


@pytest.mark.parametrize(
    ("version", "options", "state"),
    [
        pytest.param("0.12.3", (), "not_offered", id="lacking"),
        pytest.param("0.13.0", (), "failed", id="offered"),
        pytest.param("0.5.3", ("--base-url", "http://127.0.0.1:1/v1"), "failed", id="newest-tried-elsewhere"),
    ],
)
def test_only_a_claim_that_is_offered_is_judged(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    version: str,
    options: tuple[str, ...],
    state: str,
) -> None:
    verdict = judge_claim(run(pytester, monkeypatch, version, *options), Claim("tools.streamed", part=""))
    assert verdict.state == state
    assert ("a server was started" if state == "failed" else "not_offered.stream_broken") in str(verdict.cause)


def test_engine_that_cannot_serve_the_homework_is_refused_before_anything(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict = judge_claim(run(pytester, monkeypatch, "0.6.5", "--backend", "pytorch"), Claim("tools.add", part=""))
    assert verdict.state == "failed"
    assert "error.pytorch_engine_lacks" in str(verdict.cause)


def test_adaptations_are_recorded_once(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    (only,) = run(pytester, monkeypatch, "99.0").of(Adapted)
    assert only.lmdeploy == "99.0"
    assert only.adaptations[0] == {"id": "newest", "value": NEWEST_TRIED, "upstream": ""}


@pytest.mark.parametrize("file", CONTRACTS, ids=lambda file: file.stem)
def test_contract_claims_are_declared_without_lmdeploy(file: Path) -> None:
    """A report names them in an environment that has neither lmdeploy nor torch."""
    assert import_module(f"tests.contracts.{file.stem}")
