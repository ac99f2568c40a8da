"""The api_server is started, recognised as ours, watched and stopped; each way this can fail, with real processes."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from xprocess import XProcess

from fixtures import evidence
from fixtures.errors import ServerError
from fixtures.evidence.events import EngineSeen, ServerLaunched, ServerReady, ServerStopped
from fixtures.evidence.redaction import REDACTED, Private
from fixtures.lmdeploy.capabilities import capabilities
from fixtures.lmdeploy.commands import WITH_KEY, ServeCommand
from fixtures.process.port import free_port
from fixtures.process.tree import below
from fixtures.run.api_key import new_key
from fixtures.server import api_server
from fixtures.server.api_server import RunningServer, serve
from fixtures.server.readiness import ask
from tests.unit.waiting import PROGRAMS, alive, eventually, noted

KEY = new_key()


class Place:
    """Where a test's servers run: one port, one log of events, one list of the processes that were started."""

    def __init__(self, xprocess: XProcess, folder: Path) -> None:
        self.xprocess = xprocess
        self.pids = folder / "pids"
        self.port = free_port("127.0.0.1")
        self.log = evidence.Evidence(folder / "evidence", private=Private.of_this_machine(keys=[KEY]))

    def command(self, *switches: str) -> ServeCommand:
        program = (sys.executable, "-S", str(PROGRAMS / "server.py"), "--port", str(self.port))
        return ServeCommand(
            argv=(*program, "--pids", str(self.pids), *switches), shown=("lmdeploy", "serve", *switches),
            env={"EXTRA": "1"}, host="127.0.0.1", port=self.port, model_name="fake-chat",
        )  # fmt: skip

    def serve(self, *switches: str, **changes: Any) -> contextlib.AbstractContextManager[RunningServer]:
        command = replace(self.command(*switches), **changes)
        how = {"run_id": "unit", "start_timeout": 30, "stop_timeout": 5, "evidence": self.log}
        return serve(self.xprocess, command, **how)

    def events(self, kind: type) -> list[Any]:
        return [entry.event for entry in evidence.read(self.log.folder) if isinstance(entry.event, kind)]

    def check_nothing_is_left(self) -> None:
        assert not self.pids.exists() or alive(noted(self.pids)) == []
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", self.port))


@pytest.fixture
def place(xprocess: XProcess, tmp_path: Path) -> Iterator[Place]:
    made = Place(xprocess, tmp_path)
    yield made
    made.log.close()
    for left in alive(noted(made.pids)) if made.pids.exists() else ():
        left.kill()  # a failed test must not leave what it is about


def test_server_is_ready_used_and_stopped(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INHERITED", "2")
    with contextlib.ExitStack() as stack:
        with place.serve("--load", "0.2") as server:
            server.check_alive()
            # Another run on this machine may have a server of the same name.
            named = {**os.environ, api_server.MARK: server.log.stem}
            other = stack.enter_context(subprocess.Popen(["sleep", "60"], env=named))
            stack.callback(other.kill)
        assert other.poll() is None
    place.check_nothing_is_left()
    written = server.log.read_text()
    assert server.log.parent == place.log.folder
    assert written.startswith("$ lmdeploy serve --load 0.2\n")
    assert "stdin says ''" in written
    assert "EXTRA=1 INHERITED=2 PYTHONUNBUFFERED=1\n" in written
    assert "stopped cleanly" in written
    assert written.count("GET /health") <= 2, "asked before it listened"
    assert [type(entry.event) for entry in evidence.read(place.log.folder)] == [
        ServerLaunched, ServerReady, ServerStopped,
    ]  # fmt: skip
    (stopped,) = place.events(ServerStopped)
    assert (stopped.exit_code, stopped.cause) == (0, "")
    # Nothing of xprocess's is left that could be reused, killed by pid, or printed into a report.
    assert not Path(place.xprocess.rootdir, server.log.stem).exists()
    assert "server.py" not in capsys.readouterr().out


def test_key_is_asked_for_and_shown_to_nobody(place: Place) -> None:
    python, *rest = place.command().argv
    with place.serve(argv=(python, WITH_KEY, *rest[1:]), api_key=KEY) as server:
        answers = [ask(server.host, server.port, "/v1/models", api_key=key).status for key in ("", new_key(), KEY)]
        assert answers == [401, 401, 200]
        shown = [found.cmdline() for found in below(os.getpid())]
        assert any("server.py" in str(words) for words in shown)
        assert KEY not in str(shown) + repr(server)
    place.log.close()
    kept = {file.name: file.read_text(encoding="utf-8") for file in place.log.folder.rglob("*") if file.is_file()}
    assert set(kept) == {"events.jsonl", server.log.name}
    assert [name for name, content in kept.items() if KEY in content] == []
    assert f"…/m asks for ['{REDACTED}']" in kept[server.log.name]


ASKED = {"engine": "turbomind", "fallback": capabilities("0.18.0").fallback}


def test_engine_that_was_asked_for_is_recorded(place: Place) -> None:
    for switches, asked in (((), ASKED), (("--fall-back",), {"engine": "pytorch"})):  # nobody minds
        with place.serve(*switches, **asked):
            pass
    assert [(seen.engine, seen.asked) for seen in place.events(EngineSeen)] == [
        ("turbomind", "turbomind"), ("pytorch", "pytorch"),
    ]  # fmt: skip


def test_address_of_another_machine_is_refused(place: Place) -> None:
    with pytest.raises(ServerError, match="no server can listen on 192"), place.serve(host="192.0.2.1"):
        pass


def test_killed_guard_takes_the_server_with_it_and_the_end_of_the_block_its_family(place: Place) -> None:
    with place.serve("--family"):
        server, guard, *family = noted(place.pids, 4)
        guard.kill()
        assert eventually(lambda: not alive([server])) < 2
        assert alive(family) == family
    place.check_nothing_is_left()


def test_process_that_cannot_be_removed_is_an_error(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_server, "KILL_TIMEOUT", 0.2)
    monkeypatch.setattr(api_server, "kill", lambda _: None)
    running = place.serve("--family")
    running.__enter__()
    _, guard, *_, orphan = noted(place.pids, 4)
    guard.kill()
    with pytest.raises(ServerError, match=f"something of it is left: .*process {orphan.pid}"):
        running.__exit__(None, None, None)


def test_port_that_still_listens_is_an_error(place: Place) -> None:
    running = place.serve()
    running.__enter__()
    ask("127.0.0.1", place.port, "/die")
    eventually(lambda: not alive(noted(place.pids)[:1]))
    with (
        socket.create_server(("127.0.0.1", place.port)),
        pytest.raises(ServerError, match=f"something of it is left: process {os.getpid()}"),
    ):
        running.__exit__(None, None, None)


def test_stale_pid_file_kills_nobody(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    names = []
    with subprocess.Popen(["sleep", "60"]) as bystander:
        for worker in ("gw98", "gw99"):  # workers of one run have a server each
            monkeypatch.setenv("PYTEST_XDIST_WORKER", worker)
            monkeypatch.setattr(api_server, "_numbers", iter([1]))
            place.xprocess.getinfo(f"api_server-unit-{worker}-1").pidpath.write(str(bystander.pid))
            with place.serve() as server:
                names.append(server.log.stem)
        assert bystander.poll() is None
        bystander.kill()
    assert names == ["api_server-unit-gw98-1", "api_server-unit-gw99-1"]


def test_second_interrupt_while_it_stops_leaves_nothing(place: Place) -> None:
    over = threading.Event()

    def interrupt_twice() -> None:
        noted(place.pids, 2)
        os.kill(os.getpid(), signal.SIGINT)
        if not over.wait(0.5):
            os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt_twice).start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt), place.serve("--load", "60", "--ignore-signals"):
        pass
    over.set()
    assert time.monotonic() - began < 4.9  # the first would have waited for its 5 seconds
    place.check_nothing_is_left()
