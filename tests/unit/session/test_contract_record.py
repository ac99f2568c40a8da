"""contract.json: what became of each claim, from a run in a process of its own."""

import json
from pathlib import Path

from tests.unit.pytest_processes import run

CONFTEST = """
from fixtures.session import contract_record
from tests.unit.pytest_processes import PLUGINS

contract_record.installed_version = lambda: "0.12.3"
pytest_plugins = (*PLUGINS, "fixtures.session.contract_record")
"""
INI = """
[pytest]
addopts = -p no:cacheprovider
markers = contract: contract
"""
TESTS = """
import functools, pytest
from fixtures.errors import LmdeployError
from fixtures.run.claims import claim
from fixtures.run.measurement import NotMeasured
from fixtures.texts import message

pytestmark = pytest.mark.contract
of = functools.partial(claim, part="contract", zh="", en="")

@of("of.auto_awq")
def test_passed(record_property):
    record_property("measured", {"name": "flags", "value": "all"})

@of("of.api_server")
def test_failed():
    assert not "`lmdeploy serve` is refused: unrecognized arguments: --quant-policy 4"

@of("of.chat")
@pytest.mark.parametrize("good", [True, False, True])
def test_one_of_three_fails(good):
    assert good

@of("of.gradio")
def test_not_offered():
    raise NotMeasured(message("not_offered.gradio"))

@pytest.fixture
def broken():
    raise LmdeployError("distributor_too_old", where="here")

@of("of.server")
def test_its_fixture_failed(broken):
    pass
"""


def test_every_claim_has_its_state_and_cause_and_other_runs_leave_nothing(tmp_path: Path) -> None:
    for name, content in (("conftest.py", CONFTEST), ("pytest.ini", INI), ("test_it.py", TESTS)):
        (tmp_path / name).write_text(content)
    run(tmp_path, "-m", "not contract")
    assert not (tmp_path / "reports").exists()
    run(tmp_path, "-m", "contract", "-o", f"junit_logging={tmp_path}/none")
    found = json.loads((tmp_path / "reports/contract-0.12.3/contract.json").read_text())
    claims = {claim["id"]: claim for claim in found["claims"] if claim["id"].startswith("of.")}
    assert {id_: claim["state"] for id_, claim in claims.items()} == {
        "of.auto_awq": "passed",
        "of.api_server": "failed",
        "of.chat": "failed",
        "of.gradio": "not_offered",
        "of.server": "failed",
    }
    assert "unrecognized arguments: --quant-policy 4" in claims["of.api_server"]["cause"]
    assert claims["of.server"]["cause"] == {"id": "error.distributor_too_old", "fields": {}, "where": "here"}
    assert claims["of.auto_awq"]["measured"] == [{"name": "flags", "value": "all"}]
    assert (found["lmdeploy"], found["outcome"], found["passed"], found["exit_status"]) == ("0.12.3", "failed", 1, 1)
    assert found["command"] == ["pytest", "-m", "contract", "-o", "junit_logging=none"]
    assert "calib_dataset" in [adaptation["id"] for adaptation in found["adaptations"]]
