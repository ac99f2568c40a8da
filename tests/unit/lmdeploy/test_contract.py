"""A claim about what the version lacks is skipped before anything starts, and what is adapted is in the evidence."""

import pytest

from fixtures.evidence import read
from fixtures.evidence.events import Adapted
from fixtures.judge.verdict import Happened, judge_claim
from fixtures.run.claims import NOT_OFFERED, Claim

CONFTEST = """
import pytest
pytest_plugins = [
    "fixtures.run.options", "fixtures.run.settings", "fixtures.session.recording", "fixtures.run.measurement", "fixtures.lmdeploy.contract",
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

pytestmark = pytest.mark.gpu

@claim(
    "tools.streamed",
    part="tools",
    zh="流式返回的函数调用与非流式一致",
    en="Streamed calls are the same as unstreamed ones",
)
def test_streamed(server):
    pass

@claim(
    "tools.add",
    part="tools",
    zh="模型调用了加法函数 add",
    en="The model called add",
)
def test_offered(contract):
    pass
"""


def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, version: str, *arguments: str) -> Happened:
    """The events of a run under a version of lmdeploy."""
    monkeypatch.setattr("fixtures.lmdeploy.contract.installed_version", lambda: version)
    pytester.makeconftest(CONFTEST)
    pytester.makeini(INI)
    pytester.makepyfile(test_it=TESTS)
    pytester.runpytest_inprocess("-m", "gpu", *arguments)
    (folder,) = (pytester.path / "evidence").iterdir()
    return Happened(tuple(read(folder)))


def state(happened: Happened, claim: str) -> tuple[str, str]:
    verdict = judge_claim(happened, Claim(claim, part=""))
    return verdict.state, verdict.cause


def test_what_the_version_lacks_is_not_offered(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    happened = run(pytester, monkeypatch, "0.12.3")
    assert state(happened, "tools.streamed") == (
        "not_offered",
        f"Skipped: {NOT_OFFERED}: streamed calls come as text in the content, as deltas since 0.13.0",
    )
    assert state(happened, "tools.add")[0] == "not_measured"


def test_what_the_version_has_is_judged(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    found, cause = state(run(pytester, monkeypatch, "0.13.0"), "tools.streamed")
    assert found == "failed"
    assert "a server was started" in cause


def test_a_server_elsewhere_is_taken_for_the_newest(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    happened = run(pytester, monkeypatch, "0.5.3", "--base-url", "http://127.0.0.1:1/v1")
    assert state(happened, "tools.streamed")[0] == "failed"


def test_what_was_adapted_is_recorded_once(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    happened = run(pytester, monkeypatch, "0.99.0")
    (only,) = happened.of(Adapted)
    assert only.lmdeploy == "0.99.0"
    assert only.adaptations[0] == {"id": "newest", "value": "0.18.0", "upstream": ""}
