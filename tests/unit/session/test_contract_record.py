"""contract.json: what became of each claim, from a run in a process of its own."""

import json
from typing import Any

import pytest

from fixtures.run.claims import CONTRACT

CONFTEST = """
pytest_plugins = ["fixtures.run.options", "fixtures.run.settings", "fixtures.session.contract_record"]
"""
INI = """
[pytest]
markers =
    contract: contract
    claim(id): claim
addopts = -p no:cacheprovider
"""
TESTS = """
import pytest
from fixtures.run.claims import NOT_OFFERED
from fixtures.errors import LmdeployError

pytestmark = pytest.mark.contract

@claim(
    "cli.auto_awq",
    part="contract",
    zh="接受量化命令",
    en="auto_awq's command line is accepted",
)
def test_held(record_property):
    record_property("measured", {"name": "flags", "value": "all"})

@claim(
    "cli.api_server",
    part="contract",
    zh="接受每条服务命令",
    en="every api_server command line is accepted",
)
def test_failed():
    assert not "`lmdeploy serve` is refused: unrecognized arguments: --quant-policy 4"

@claim(
    "cli.chat",
    part="contract",
    zh="接受 lmdeploy chat",
    en="lmdeploy chat is accepted",
)
@pytest.mark.parametrize("good", [True, False, True])
def test_one_of_three_fails(good):
    assert good

@claim(
    "cli.gradio",
    part="contract",
    zh="接受 lmdeploy serve gradio",
    en="lmdeploy serve gradio is accepted",
)
def test_not_offered():
    pytest.skip(f"{NOT_OFFERED}: gradio was dropped in 0.10.0")

@pytest.fixture
def broken():
    raise LmdeployError("the server died", where="here")

@claim(
    "server.chat",
    part="contract",
    zh="对话",
    en="a chat",
)
def test_its_fixture_failed(broken):
    pass
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The document of a run of those tests under lmdeploy 0.12.3."""
    monkeypatch.setattr("fixtures.session.contract_record.installed_version", lambda: "0.12.3")
    pytester.makeconftest(CONFTEST)
    pytester.makeini(INI)
    pytester.makepyfile(test_it=TESTS)
    inside = f"junit_logging={pytester.path}/none"
    pytester.runpytest_inprocess("-m", "contract", "-o", inside).assert_outcomes(
        passed=3, failed=2, errors=1, skipped=1
    )
    document: dict[str, Any] = json.loads((pytester.path / "reports/contract-0.12.3/contract.json").read_text())
    return document


def test_every_claim_of_the_contract_has_its_state_and_cause(run: dict[str, Any]) -> None:
    found = {claim["id"]: claim for claim in run["claims"]}
    assert list(found) == [claim.id for claim in CONTRACT]
    states = {id_: claim["state"] for id_, claim in found.items() if claim["state"] != "not_run"}
    assert states == {
        "cli.auto_awq": "passed",
        "cli.api_server": "failed",
        "cli.chat": "failed",
        "cli.gradio": "not_offered",
        "server.chat": "failed",
    }
    assert "unrecognized arguments: --quant-policy 4" in found["cli.api_server"]["cause"]
    assert found["server.chat"]["cause"] == "the server died\n  where: here"
    assert found["cli.auto_awq"]["measured"] == [{"name": "flags", "value": "all"}]


def test_the_run_is_described(run: dict[str, Any]) -> None:
    assert (run["lmdeploy"], run["outcome"], run["passed"], run["exit_status"]) == ("0.12.3", "failed", 1, 1)
    assert run["command"] == ["pytest", "-m", "contract", "-o", "junit_logging=none"]
    assert "calib_dataset" in [adaptation["id"] for adaptation in run["adaptations"]]


def test_other_runs_leave_nothing(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(CONFTEST)
    pytester.makeini(INI)
    pytester.makepyfile(test_it="def test_it(): pass")
    pytester.runpytest_inprocess("-m", "not contract").assert_outcomes(passed=1)
    assert not (pytester.path / "reports").exists()
