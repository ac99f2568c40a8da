"""Real runs of a small suite with a real server are struck; what they leave is seen, and what they hide too."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from fixtures.errors import AcceptanceError
from fixtures.run.settings import resolve
from fixtures.session.environment import record as environment_record
from tests.acceptance.gpu_faults import faults as gpu_faults
from tests.acceptance.gpu_faults import test_gpu_faults as acceptance
from tests.acceptance.gpu_faults.faults import FAULTS, Fault, Place, Suffered, record, suffer
from tests.unit.waiting import ROOT

SERVER_KILLED, PYTEST_KILLED, INTERRUPTED, OUT_OF_MEMORY = FAULTS

INI = """
[pytest]
markers = gpu: the homework's claims
addopts = -m "not gpu"
"""

CONFTEST = """
PLUGINS = (
    "pytest_metadata.plugin", "pytest_html.plugin", "fixtures.session.collecting", "fixtures.run.options", "fixtures.run.settings",
    "fixtures.session.recording", "fixtures.report.plugin", "fixtures.run.measurement", "fixtures.session.interrupts",
)


def pytest_addoption(pluginmanager):
    for name in PLUGINS:  # as the suite's own conftest does
        pluginmanager.import_plugin(name)
"""

SUITE = """
import http.client, os, subprocess, sys, time
import pytest
from fixtures.evidence.events import ServerLaunched, ServerReady
from fixtures.process.guard import guarded
from fixtures.process.port import free_port

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
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except OSError:
        return False


@pytest.mark.gpu
@claim(
    "server.named_model",
    part="deployment",
    zh="api_server 以作业的模型名提供服务",
    en="The api_server names the homework's model",
)
def test_named(port, measure):
    measure("model", 1)


@pytest.mark.gpu
@claim(
    "chat.replies_in_chinese",
    part="chat",
    zh="模型用中文回复",
    en="The model replies in Chinese",
)
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
    (root / "pytest.ini").write_text(INI)
    (root / "conftest.py").write_text(CONFTEST)
    (root / "tests" / "acceptance" / "test_homework.py").write_text(SUITE)
    return Place(root, tmp_path / "evidence", None, resolve(lambda _: None, lambda _: None, {}, root))


def failed(suffered: Suffered) -> set[str]:
    """The acceptance tests that fail on what was suffered."""
    found = set()
    for test in (acceptance.test_the_cause_is_named, acceptance.test_the_report_is_no_pass,
                 acceptance.test_nothing_is_left_running):  # fmt: skip
        try:
            test(suffered)
        except AssertionError:
            found.add(test.__name__)
    return found


def test_a_killed_server_is_named_and_recorded(place: Place) -> None:
    suffered = suffer(place, SERVER_KILLED)
    assert failed(suffered) == set()
    assert suffered.exit_code == 1
    made: dict[str, Any] = record(
        [suffered], environment_record(None), "pytest -m gpu_faults", datetime(2026, 11, 22, tzinfo=timezone.utc)
    )
    assert {"command", "date", "gpu", "versions", "faults", "leftovers"} <= set(made)
    row = made["faults"][0]
    assert (row["id"], row["caught"], row["left"], made["leftovers"]) == (SERVER_KILLED.id, True, [], 0)
    assert 0 < row["seconds"] < SERVER_KILLED.within_s


def test_a_killed_pytest_leaves_its_evidence_and_no_server(place: Place) -> None:
    suffered = suffer(place, PYTEST_KILLED)
    assert failed(suffered) == set()
    assert (suffered.exit_code, suffered.pytest_lived) == (-9, False)


def test_an_interrupted_start_is_named(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRUCK_SUITE", "starts for long")
    monkeypatch.setattr(gpu_faults, "LOADING_S", 0.3)
    suffered = suffer(place, INTERRUPTED)
    assert failed(suffered) == set()
    assert suffered.exit_code == 2


def test_a_server_left_behind_is_found_and_ended(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRUCK_SUITE", "leaves its server")
    suffered = suffer(place, replace(PYTEST_KILLED, within_s=0.4))
    assert failed(suffered) == {"test_nothing_is_left_running"}
    assert len(suffered.left) == 1


def test_a_run_that_takes_no_notice_is_caught(place: Place) -> None:
    """Nothing is struck, so that no cause is named."""
    suffered = suffer(place, replace(SERVER_KILLED, moment="", strike=""))
    assert "test_the_cause_is_named" in failed(suffered)
    assert not suffered.row()["caught"]


def test_a_run_that_never_comes_to_the_moment_is_an_error(place: Place) -> None:
    (place.root / "tests" / "acceptance" / "test_homework.py").write_text("import nothing_of_that_name")
    with pytest.raises(AcceptanceError, match="never came to the moment"):
        suffer(place, SERVER_KILLED)


def test_memory_cannot_be_missing_without_a_gpu(place: Place) -> None:
    with pytest.raises(AcceptanceError, match="where there is a GPU"):
        suffer(place, OUT_OF_MEMORY)


def test_every_fault_has_its_own_words() -> None:
    faults: tuple[Fault, ...] = FAULTS
    assert len({fault.words for fault in faults}) == len(faults) == len({fault.id for fault in faults})
