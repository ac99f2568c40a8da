"""The api_server is started, recognised as ours, watched and stopped; each way this can fail, with real processes."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from xprocess import XProcess

from fixtures import evidence
from fixtures.errors import AnotherEngine, ForeignServer, ServerDied, ServerError, ServerNotReady
from fixtures.evidence.events import EngineSeen, ServerLaunched, ServerReady, ServerStopped
from fixtures.evidence.redaction import REDACTED, Private
from fixtures.lmdeploy.capabilities import capabilities
from fixtures.lmdeploy.commands import WITH_KEY, ServeCommand
from fixtures.process.guard import descendants
from fixtures.process.port import free_port
from fixtures.run.api_key import new_key
from fixtures.server import api_server
from fixtures.server.api_server import RunningServer, serve
from fixtures.server.readiness import ask
from tests.unit.pytest_processes import PytestProcess, start
from tests.unit.waiting import PROGRAMS, alive, eventually, noted

SLACK = 5.0
"""Seconds that a busy machine may add to what is promised."""


@dataclass(frozen=True)
class KeyedServer:
    """A running server that asks for a key, and its command."""

    server: RunningServer
    command: ServeCommand


Serve = Callable[..., "contextlib.AbstractContextManager[RunningServer]"]


@pytest.fixture
def pids(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "pids"
    yield path
    if path.exists():  # a failed test must not leave what it is about
        for left in alive(noted(path)):
            os.kill(left.pid, signal.SIGKILL)


@pytest.fixture
def log_of_events(tmp_path: Path) -> Iterator[evidence.Evidence]:
    log = evidence.Evidence(tmp_path / "evidence")
    yield log
    log.close()


@pytest.fixture
def port() -> int:
    return free_port("127.0.0.1")


@pytest.fixture
def command(pids: Path, port: int) -> Callable[..., ServeCommand]:
    def build(*switches: str) -> ServeCommand:
        program = (sys.executable, "-S", str(PROGRAMS / "server.py"), "--port", str(port), "--pids", str(pids))
        return ServeCommand(
            argv=(*program, *switches), shown=("lmdeploy", "serve", *switches), env={"EXTRA": "1"},
            host="127.0.0.1", port=port, model_name="fake-chat",
        )  # fmt: skip

    return build


@pytest.fixture
def started(
    xprocess: XProcess, command: Callable[..., ServeCommand], log_of_events: evidence.Evidence
) -> Callable[..., contextlib.AbstractContextManager[RunningServer]]:
    def start(
        *switches: str, start_timeout: float = 10, stop_timeout: float = 5
    ) -> contextlib.AbstractContextManager[RunningServer]:
        return serve(
            xprocess, command(*switches), run_id="unit", start_timeout=start_timeout, stop_timeout=stop_timeout,
            evidence=log_of_events,
        )  # fmt: skip

    return start


@pytest.fixture
def nothing_left(pids: Path, port: int) -> Callable[[], None]:
    """A check that every process that was started is gone and the port can be bound."""

    def check() -> None:
        assert alive(noted(pids)) == []
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))

    return check


def events(log: evidence.Evidence, kind: type) -> list[object]:
    return [entry.event for entry in evidence.read(log.folder) if isinstance(entry.event, kind)]


def test_a_server_of_the_same_name_in_another_run_is_left_alone(started: Serve) -> None:
    with contextlib.ExitStack() as stack:
        with started() as server:
            named = {**os.environ, api_server.MARK: server.log.stem}
            other = stack.enter_context(subprocess.Popen(["sleep", "60"], env=named))
            stack.callback(other.kill)
        assert other.poll() is None


def test_ready_used_and_stopped(
    started: Serve,
    log_of_events: evidence.Evidence,
    port: int,
    nothing_left: Callable[[], None],
    xprocess: XProcess,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("INHERITED", "2")
    with started("--load", "0.2") as server:
        assert (server.base_url, server.model_name) == (f"http://127.0.0.1:{port}/v1", "fake-chat")
        assert server.started_seconds >= 0.2
        server.check_alive()
        assert ask("127.0.0.1", port, "/v1/models").status == 200
        log = server.log
    nothing_left()
    written = log.read_text()
    assert log.parent == log_of_events.folder
    assert written.startswith("$ lmdeploy serve --load 0.2\n")
    assert "stdin says ''" in written
    assert "EXTRA=1 INHERITED=2 PYTHONUNBUFFERED=1\n" in written
    assert "stopped cleanly" in written
    assert written.count("GET /health") <= 2  # it was asked only when it listened
    assert [type(entry.event) for entry in evidence.read(log_of_events.folder)] == [
        ServerLaunched, ServerReady, ServerStopped,
    ]  # fmt: skip
    stopped = events(log_of_events, ServerStopped)[0]
    assert isinstance(stopped, ServerStopped)
    assert (stopped.exit_code, stopped.cause) == (0, "")
    # Nothing of xprocess's is left that could be reused, killed by pid, or printed into a report.
    assert not Path(xprocess.rootdir, log.stem).exists()
    assert all(record.info[0].pid is None for record in xprocess.resources)
    assert "server.py" not in capsys.readouterr().out


@pytest.fixture
def keyed(xprocess: XProcess, command: Callable[..., ServeCommand], tmp_path: Path) -> Iterator[KeyedServer]:
    """A server that asks for a key, and tells it to its log."""
    key = new_key()
    log = evidence.Evidence(tmp_path / "evidence", private=Private.of_this_machine(keys=[key]))
    plain = command()
    python, *rest = plain.argv
    asking = replace(plain, argv=(python, WITH_KEY, *rest[1:]), api_key=key)
    with serve(xprocess, asking, run_id="unit", start_timeout=10, stop_timeout=5, evidence=log) as server:
        yield KeyedServer(server, asking)
    log.close()
    assert key not in repr(server) + repr(asking)
    kept = [file for file in log.folder.rglob("*") if file.is_file()]
    assert {file.name for file in kept} == {"events.jsonl", server.log.name}
    for file in kept:
        assert key not in file.read_text(encoding="utf-8"), file.name
    assert f"…/m asks for ['{REDACTED}']" in server.log.read_text(encoding="utf-8")


def test_a_server_with_a_key_answers_nobody_else(keyed: KeyedServer) -> None:
    address = (keyed.server.host, keyed.server.port, "/v1/models")
    assert [ask(*address, api_key=key).status for key in ("", new_key(), keyed.server.api_key)] == [401, 401, 200]


def test_no_process_list_shows_the_key(keyed: KeyedServer) -> None:
    shown = [Path(f"/proc/{found.pid}/cmdline").read_bytes() for found in descendants(os.getpid())]
    assert any(b"server.py" in line for line in shown)
    assert not any(keyed.server.api_key.encode() in line for line in shown)


def moment(log: str, name: str) -> float:
    """When the program did something, on the monotonic clock that all processes share."""
    return float(log.partition(f"{name} at ")[2].split()[0])


def test_ready_is_noticed_within_half_a_second(started: Serve) -> None:
    with started("--load", "0.2") as server:
        assert time.monotonic() - moment(server.log.read_text(), "listening") < 0.5 + SLACK


def test_death_at_start_is_told_at_once_with_its_cause(started: Serve, nothing_left: Callable[[], None]) -> None:
    with pytest.raises(ServerDied) as caught, started("--load", "0.2", "--die-in-load", start_timeout=60):
        pass
    assert time.monotonic() - moment(caught.value.detail, "dying") < 1 + SLACK
    assert "exited with code 1 before it was ready: RuntimeError: engine could not be built" in caught.value.what
    assert "Traceback (most recent call last)" in caught.value.detail
    nothing_left()


def test_a_wrong_argument_is_told_with_a_remedy(started: Serve) -> None:
    with (
        pytest.raises(ServerDied, match=r"code 2 before(.|\n)*unrecognized arguments: --new") as caught,
        started("--new"),
    ):
        pass
    assert "does not take that argument" in caught.value.remedy


def test_a_program_that_is_not_there(xprocess: XProcess, port: int, log_of_events: evidence.Evidence) -> None:
    missing = ServeCommand(("/no/lmdeploy",), ("lmdeploy",), {}, "127.0.0.1", port, "m")
    with (
        pytest.raises(ServerDied, match="cannot run /no/lmdeploy"),
        serve(xprocess, missing, run_id="unit", start_timeout=5, stop_timeout=1, evidence=log_of_events),
    ):
        pass


def test_death_in_use(
    started: Serve, log_of_events: evidence.Evidence, port: int, nothing_left: Callable[[], None]
) -> None:
    with started() as server:
        ask("127.0.0.1", port, "/die")
        eventually(lambda: not _lives(server), within=2)
        with pytest.raises(ServerDied, match=r"exited with code 3 in use: .*misaligned address"):
            server.check_alive()
    nothing_left()
    stopped = events(log_of_events, ServerStopped)[0]
    assert isinstance(stopped, ServerStopped)
    assert stopped.exit_code == 3
    assert "misaligned address" in stopped.cause


def test_a_server_killed_in_use_is_told_by_its_signal_alone(
    started: Serve, log_of_events: evidence.Evidence, pids: Path, nothing_left: Callable[[], None]
) -> None:
    with started() as server:
        child = noted(pids, 2)[0]
        os.kill(child.pid, signal.SIGKILL)
        eventually(lambda: not _lives(server), within=5)
        with pytest.raises(
            ServerDied, match=r"^the api_server was killed by SIGKILL \(exit code 137\) in use\n"
        ) as died:
            server.check_alive()
        assert "dmesg" in died.value.remedy
    nothing_left()
    stopped = events(log_of_events, ServerStopped)[0]
    assert isinstance(stopped, ServerStopped)
    assert stopped.cause == "was killed by SIGKILL (exit code 137)"


def _lives(server: RunningServer) -> bool:
    with contextlib.suppress(ServerDied):
        server.check_alive()
        return True
    return False


NOT_BUILT = "lmdeploy - WARNING - Fallback to pytorch engine because turbomind is not built."


@pytest.fixture
def asked_for(
    xprocess: XProcess, command: Callable[..., ServeCommand], log_of_events: evidence.Evidence
) -> Callable[..., contextlib.AbstractContextManager[RunningServer]]:
    """Starts a server of 0.18.0 that was asked for an engine."""

    def start(engine: str, *switches: str) -> contextlib.AbstractContextManager[RunningServer]:
        fallback = capabilities("0.18.0").fallback if engine == "turbomind" else None
        asking = replace(command(*switches), engine=engine, fallback=fallback)
        return serve(xprocess, asking, run_id="unit", start_timeout=30, stop_timeout=5, evidence=log_of_events)

    return start


@pytest.mark.parametrize("then", [("--load", "25"), ("--die-in-load",)], ids=["goes-on", "dies"])
def test_another_engine_is_told_while_it_loads_and_the_server_stopped(
    asked_for: Serve, log_of_events: evidence.Evidence, nothing_left: Callable[[], None], then: tuple[str, ...]
) -> None:
    began = time.monotonic()
    with pytest.raises(AnotherEngine) as caught, asked_for("turbomind", "--fall-back", *then):
        pass
    assert time.monotonic() - began < 3 + SLACK
    nothing_left()
    (log,) = log_of_events.folder.glob("*.log")
    number = int(caught.value.where.rpartition(" ")[2])
    assert caught.value.where == f"{log.name}, line {number}"
    assert caught.value.detail == NOT_BUILT
    assert "turbomind is not built" in log.read_text().splitlines()[number - 1]
    assert events(log_of_events, EngineSeen) == [EngineSeen("pytorch", "turbomind", NOT_BUILT)]
    assert not events(log_of_events, ServerReady)


def test_the_engine_that_was_asked_for_is_recorded(asked_for: Serve, log_of_events: evidence.Evidence) -> None:
    with asked_for("turbomind"):
        pass
    with asked_for("pytorch", "--fall-back"):  # nobody minds
        pass
    assert events(log_of_events, EngineSeen) == [
        EngineSeen("turbomind", "turbomind"), EngineSeen("pytorch", "pytorch"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("switches", "seen"),
    [(("--load", "60"), "nothing listens on its port"), (("--health", "503"), "GET /health: status 503")],
)
def test_never_ready(
    started: Serve,
    log_of_events: evidence.Evidence,
    nothing_left: Callable[[], None],
    switches: tuple[str, ...],
    seen: str,
) -> None:
    began = time.monotonic()
    with pytest.raises(ServerNotReady) as caught, started(*switches, start_timeout=1.0):
        pass
    assert time.monotonic() - began < 3 + SLACK
    assert re.search(rf"not ready after [12] s; last seen: {seen}", caught.value.what)
    written = next(log_of_events.folder.glob("*.log")).read_text()
    assert written.count("GET /health") <= 6  # three times a second
    assert "loading" in caught.value.detail
    nothing_left()


def test_without_evidence_the_wait_is_told_and_the_log_kept(
    xprocess: XProcess, command: Callable[..., ServeCommand]
) -> None:
    told: list[float] = []
    running = command("--load", "0.3")
    with serve(xprocess, running, run_id="unit", start_timeout=9, stop_timeout=5, on_wait=told.append) as server:
        pass
    assert 3 <= len(told) <= 21 * server.started_seconds
    assert told == sorted(told)
    assert "stopped cleanly" in server.log.read_text()
    assert not list(server.log.parent.glob("*.PID"))
    shutil.rmtree(server.log.parent)


def test_another_model(started: Serve, nothing_left: Callable[[], None]) -> None:
    with pytest.raises(ServerError, match=r"names \['other'\], not 'fake-chat'"), started("--model", "other"):
        pass
    nothing_left()


def test_a_stranger_on_the_port_is_named_and_nothing_started(started: Serve, port: int, pids: Path) -> None:
    with socket.create_server(("127.0.0.1", port)):
        with pytest.raises(ForeignServer, match=f"port {port} is taken by process {os.getpid()}: .*python"), started():
            pass
        assert not pids.exists()


def test_a_stranger_that_takes_the_port_while_ours_loads(
    started: Serve, port: int, pids: Path, nothing_left: Callable[[], None]
) -> None:
    stranger = socket.socket()

    def take() -> None:
        noted(pids)
        stranger.bind(("127.0.0.1", port))
        stranger.listen()

    thread = threading.Thread(target=take)
    thread.start()
    try:
        with pytest.raises(ForeignServer, match=f"taken by process {os.getpid()}:"), started("--load", "60"):
            pass
        assert alive(noted(pids)) == []
    finally:
        thread.join()
        stranger.close()
    nothing_left()


def test_a_server_that_ignores_signals_is_killed(
    started: Serve, log_of_events: evidence.Evidence, nothing_left: Callable[[], None]
) -> None:
    with started("--ignore-sigint", stop_timeout=0.2):
        pass
    nothing_left()
    stopped = events(log_of_events, ServerStopped)[0]
    assert isinstance(stopped, ServerStopped)
    assert (stopped.exit_code, stopped.cause) == (137, "")


def test_a_setsid_grandchild_goes_too(started: Serve, pids: Path) -> None:
    with started("--setsid-child"):
        tree = noted(pids, 3)
        assert len(alive(tree)) == 3
    assert alive(tree) == []


def test_even_when_the_guard_was_killed_nothing_is_left(started: Serve, pids: Path) -> None:
    with started("--setsid-child"):
        server, guard, grandchild = noted(pids, 3)
        os.kill(guard.pid, signal.SIGKILL)
        eventually(lambda: not alive([server]))
        assert alive([grandchild])
    assert alive([grandchild]) == []


def test_what_cannot_be_removed_is_an_error(started: Serve, pids: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_server, "KILL_TIMEOUT", 0.2)
    monkeypatch.setattr(api_server, "send_signal", lambda _known, _number: None)
    running = started("--setsid-child")
    running.__enter__()
    _, guard, grandchild = noted(pids, 3)
    os.kill(guard.pid, signal.SIGKILL)
    with pytest.raises(ServerError, match=f"something of it is left: process {grandchild.pid}"):
        running.__exit__(None, None, None)


def test_a_port_that_still_listens_is_an_error(started: Serve, port: int) -> None:
    running = started()
    server = running.__enter__()
    ask("127.0.0.1", port, "/die")
    eventually(lambda: not _lives(server))
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(ServerError, match=f"something of it is left: process {os.getpid()}"),
    ):
        running.__exit__(None, None, None)


def test_an_exception_in_use_stops_it(started: Serve, nothing_left: Callable[[], None]) -> None:
    with pytest.raises(ZeroDivisionError), started():
        raise ZeroDivisionError
    nothing_left()


def test_a_stale_pid_file_kills_nobody(started: Serve, xprocess: XProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_server, "_numbers", iter([77]))
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
        xprocess.getinfo(f"api_server-unit-{worker}-77").pidpath.write(str(bystander.pid))
        with started():
            pass
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_an_address_of_another_machine(xprocess: XProcess) -> None:
    elsewhere = ServeCommand(("true",), ("true",), {}, "192.0.2.1", 8080, "m")
    with (
        pytest.raises(ServerError, match="no server can listen on 192"),
        serve(xprocess, elsewhere, run_id="unit", start_timeout=1, stop_timeout=1),
    ):
        pass


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("loading", signal.SIGINT),
        ("loading", signal.SIGKILL),
        ("in use", signal.SIGINT),
        ("in use", signal.SIGTERM),
        ("in use", signal.SIGKILL),
    ],
)
def test_when_pytest_is_interrupted_nothing_is_left(
    tmp_path: Path,
    command: Callable[..., ServeCommand],
    pids: Path,
    nothing_left: Callable[[], None],
    moment: str,
    number: signal.Signals,
) -> None:
    switches = ("--load", "60") if moment == "loading" else ("--setsid-child",)
    process = _miniature(tmp_path, command(*switches), use=60)
    try:
        if moment == "in use":
            eventually((tmp_path / "mini" / "in-use").exists, within=20)
        tree = noted(pids, 2 if moment == "loading" else 3)
        process.send_signal(number)
        # After Ctrl-C xprocess waits up to 20 s for orphans that died and that the machine's init has not collected.
        code = process.wait(40)
    finally:
        process.kill()
    if number is signal.SIGKILL:
        eventually(lambda: not alive(tree))
    else:
        assert code == pytest.ExitCode.INTERRUPTED, process.output
        assert "INTERNALERROR" not in process.output + process.errors
        stopped = [entry.event for entry in evidence.read(tmp_path / "mini")][-1]
        assert isinstance(stopped, ServerStopped)
        assert stopped.cause == ""
    nothing_left()


def test_a_second_interrupt_while_it_stops_leaves_nothing(
    tmp_path: Path, command: Callable[..., ServeCommand], pids: Path, nothing_left: Callable[[], None]
) -> None:
    process = _miniature(tmp_path, command("--load", "60", "--ignore-sigint"), use=60)
    noted(pids, 2)
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    process.wait(15)
    assert time.monotonic() - began < 4.9  # the first would have waited for its 5 seconds
    nothing_left()


def test_workers_of_one_run_have_a_server_each(started: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    names = []
    for worker in ("gw98", "gw99"):  # no worker that runs tests beside this one
        monkeypatch.setenv("PYTEST_XDIST_WORKER", worker)
        monkeypatch.setattr(api_server, "_numbers", iter([1]))
        with started() as server:
            names.append(server.log.stem)
    assert names == ["api_server-unit-gw98-1", "api_server-unit-gw99-1"]


def _miniature(tmp_path: Path, command: ServeCommand, use: float) -> PytestProcess:
    """A pytest of its own with xprocess and a server."""
    folder = tmp_path / "mini"
    folder.mkdir()
    (folder / "pytest.ini").write_text("[pytest]\n")
    test = folder / "test_mini.py"
    test.write_text((PROGRAMS / "run_with_server.py").read_text())
    plugins = ("-p", "fixtures.session.interrupts", "-p", "xprocess.pytest_xprocess")
    given = {"argv": command.argv, "port": command.port, "evidence": str(folder), "use": use}
    environment = {**os.environ, "GIVEN": json.dumps(given)}
    return start(folder, *plugins, "-c", "pytest.ini", "-q", str(test), environment=environment)
