"""Real runs of a small suite with a real server are struck; what they leave is seen, and what they hide too."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures.errors import AcceptanceError
from fixtures.evidence.events import Entry
from fixtures.report.summary import summarize
from fixtures.run.settings import resolve
from fixtures.texts import Texts
from tests.acceptance.gpu_faults import faults as gpu_faults
from tests.acceptance.gpu_faults import test_gpu_faults as acceptance
from tests.acceptance.gpu_faults.events import FaultSuffered
from tests.acceptance.gpu_faults.faults import FAULTS, Place, Suffered, suffer
from tests.acceptance.gpu_faults.record import records
from tests.acceptance.gpu_faults.section import key_figures, section
from tests.unit.waiting import ROOT

SERVER_KILLED, PYTEST_KILLED, INTERRUPTED, OUT_OF_MEMORY = FAULTS

CONFTEST = """
from tests.unit.pytest_processes import PLUGINS

pytest_plugins = (*PLUGINS, "fixtures.session.interrupts")
"""

SUITE = """
import os, subprocess, sys, time
import pytest
from fixtures.evidence.events import ServerLaunched, ServerReady
from fixtures.process.guard import guarded
from fixtures.process.port import free_port
from fixtures.run.claims import declared
from fixtures.server.readiness import ask

MODE = os.environ.get("STRUCK_SUITE", "")


@pytest.fixture(scope="session")
def port(evidence):
    port = free_port("127.0.0.1")
    command = [sys.executable, "-I", "-S", "-m", "http.server", "--bind", "127.0.0.1", str(port)]
    child = subprocess.Popen(command if MODE == "leaves its server" else guarded(command, grace=2))
    evidence.append(ServerLaunched([], f"http://127.0.0.1:{port}"))
    try:
        if MODE == "starts for long":
            time.sleep(60)
        while not answers(port):
            time.sleep(0.05)
        evidence.append(ServerReady(0.1, []))
        yield port
    finally:
        if MODE != "leaves its server":
            child.terminate()
            child.wait()


def answers(port):
    return ask("127.0.0.1", port, "/").status == 200


@pytest.mark.gpu
@pytest.mark.claim(declared("server.named_model"))
def test_named(port, measure):
    measure("model", 1)


@pytest.mark.gpu
@pytest.mark.claim(declared("chat.replies_in_chinese"))
def test_chat(port, measure):
    time.sleep(0.2)
    measure("length", 1)
    assert answers(port), "the api_server was killed by SIGKILL"
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    # Only the plugins that matter here: each test starts two processes or three.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setattr(gpu_faults, "FROZEN_S", 0.4)
    root = tmp_path / "suite"
    (root / "tests" / "acceptance").mkdir(parents=True)
    (root / "pytest.ini").write_text("[pytest]")
    (root / "conftest.py").write_text(CONFTEST)
    (root / "tests" / "acceptance" / "test_homework.py").write_text(SUITE)
    return Place(root, tmp_path / "evidence", None, resolve(lambda _: None, lambda _: None, {}, root))


def failed(suffered: Suffered) -> set[str]:
    """The acceptance tests that fail on what was suffered."""
    found = set()
    for test in (acceptance.test_cause_is_named, acceptance.test_report_is_no_pass,
                 acceptance.test_nothing_is_left_running):  # fmt: skip
        try:
            test(suffered)
        except AssertionError:
            found.add(test.__name__)
    return found


def test_killed_server_is_named_and_reported(place: Place) -> None:
    suffered = suffer(place, SERVER_KILLED)
    assert failed(suffered) == set()
    assert suffered.exit_code == 1
    row = json.loads(json.dumps(suffered.row()))
    assert (row["id"], row["caught"], row["left"]) == (SERVER_KILLED.id, True, [])
    assert 0 < row["seconds"] < SERVER_KILLED.within_s
    entries = [
        Entry(float(number), "now", FaultSuffered({**row, "id": fault.id})) for number, fault in enumerate(FAULTS)
    ]
    texts = Texts("en")
    assert "server killed in a request" in str(section(summarize(entries), texts))
    assert key_figures(summarize(entries), texts)[0].value == "4 / 4"
    assert records(entries)["faults-{gpu}"]["leftovers"] == 0
    with pytest.raises(ValueError, match="faults are missing: server-killed-in-a-request"):
        records(entries[1:])


def test_killed_pytest_leaves_its_evidence_and_no_server(place: Place) -> None:
    suffered = suffer(place, PYTEST_KILLED)
    assert failed(suffered) == set()
    assert (suffered.exit_code, suffered.pytest_lived) == (-9, False)


def test_interrupted_start_is_named(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRUCK_SUITE", "starts for long")
    monkeypatch.setattr(gpu_faults, "LOADING_S", 0.3)
    suffered = suffer(place, INTERRUPTED)
    assert failed(suffered) == set()
    assert suffered.exit_code == 2


def test_server_left_behind_is_found_and_ended(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRUCK_SUITE", "leaves its server")
    suffered = suffer(place, replace(PYTEST_KILLED, within_s=0.4))
    assert failed(suffered) == {"test_nothing_is_left_running"}
    assert len(suffered.left) == 1


def test_run_that_takes_no_notice_is_caught(place: Place) -> None:
    """Nothing is struck, so that no cause is named."""
    suffered = suffer(place, replace(SERVER_KILLED, strike=""))
    assert "test_cause_is_named" in failed(suffered)
    assert not suffered.row()["caught"]


def test_run_that_never_comes_to_the_moment_is_an_error(place: Place) -> None:
    (place.root / "tests" / "acceptance" / "test_homework.py").write_text("import nothing_of_that_name")
    with pytest.raises(AcceptanceError, match="never came to the moment"):
        suffer(place, SERVER_KILLED)
    with pytest.raises(AcceptanceError, match="where there is a GPU"):
        suffer(place, OUT_OF_MEMORY)
