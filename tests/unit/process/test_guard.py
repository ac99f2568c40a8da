"""Nothing of a guarded command outlives it, its guard's orders or its guard's parent."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from fixtures.process import guard
from fixtures.process.tree import below, marked, runs
from tests.unit.waiting import PROGRAMS, ROOT, alive, eventually, noted

WAITS = [sys.executable, "-I", "-S", str(PROGRAMS / "server.py"), "--family"]
WATCHED = """
import subprocess, sys
from fixtures.process.guard import guarded
subprocess.run(guarded(sys.argv[1:], grace=5))
"""
"""Stands for pytest, to be killed itself."""


@pytest.fixture
def pids(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "pids"
    yield path
    if path.exists():  # a failed test must not leave what it is about
        for left in alive(noted(path)):
            left.kill()


def start(*command: str, grace: float = 5.0, **options: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        guard.guarded(command, grace=grace), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options
    )


def family(pids: Path, *switches: str) -> list[str]:
    """A command that notes four pids: its own, its guard's, a child's, and an orphan's in another session."""
    return [*WAITS, "--pids", str(pids), *switches]


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        (("sh", "-c", "exit 7"), 7, b""),
        (("sh", "-c", "kill -TERM $$"), 128 + 15, b""),
        (("/no/such/program",), guard.EXIT_NOT_FOUND, b"guard: cannot run /no/such/program: No such file"),
        (("/etc/passwd",), guard.EXIT_NOT_EXECUTABLE, b"guard: cannot run /etc/passwd: Permission denied"),
        (("sh", "-c", "echo $1 $2", "x", "--", "-a"), 0, b"-- -a\n"),
        (("grep", "SigIgn", "/proc/self/status"), 0, b"SigIgn:\t0000000000000000\n"),
        (("cat",), 0, b""),  # a question gets no answer instead of waiting
    ],
)
def test_exit_code_and_output_are_the_commands(command: tuple[str, ...], code: int, said: bytes) -> None:
    process = start(*command, stdin=subprocess.PIPE)
    assert process.wait(10) == code
    output, _ = process.communicate()
    assert said in output


@pytest.mark.parametrize(("switches", "code"), [(("--raise", "2", "--exit", "7"), 7), (("--raise", "9"), 137)])
def test_survivors_of_a_command_that_ends_are_killed(pids: Path, switches: tuple[str, ...], code: int) -> None:
    assert start(*family(pids, *switches)).wait(10) == code
    assert alive(noted(pids, 4)) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_stop_signal_lets_the_command_stop_and_kills_the_rest(pids: Path, number: signal.Signals) -> None:
    process = start(*family(pids, "--exit", "5"))
    tree = noted(pids, 4)
    assert len(alive(tree)) == 4
    process.send_signal(number)
    output, _ = process.communicate(timeout=10)
    assert (process.returncode, output) == (5, b"stopped cleanly\n")
    assert alive(tree) == []


def test_command_that_ignores_signals_is_killed_after_the_grace(pids: Path) -> None:
    process = start(*family(pids, "--ignore-signals"), grace=0.2)
    tree = noted(pids, 4)
    told = time.monotonic()
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=10)
    assert 0.2 <= time.monotonic() - told < 8
    assert process.returncode == 137
    assert b"did not stop within 0.2 s of SIGINT: killed" in output
    assert alive(tree) == []


@pytest.mark.parametrize("trap", ["", 'trap "" INT'])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_tree_goes_when_the_parent_is_killed(pids: Path, number: signal.Signals, trap: str) -> None:
    """Even where a shell that ignores SIGINT started everything."""
    command = ["sh", "-c", f'{trap}\nexec "$@"', "sh", sys.executable, "-S", "-c", WATCHED, *family(pids)]
    watched = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)})
    tree = noted(pids, 4)
    watched.send_signal(number)
    watched.wait(10)
    assert eventually(lambda: not alive(tree)) < 2


def test_nothing_is_started_when_the_parent_is_gone_already(tmp_path: Path) -> None:
    command = guard.guarded(["touch", str(tmp_path / "started")], grace=1)
    command[command.index(str(os.getpid()))] = "1"
    assert subprocess.run(command, timeout=10, check=False).returncode == guard.EXIT_GUARD_FAILED
    assert not (tmp_path / "started").exists()


def test_reused_pid_is_another_process() -> None:
    me = guard.process(os.getpid())
    assert me is not None
    assert guard.is_alive(me)
    assert not guard.is_alive(me._replace(started=me.started - 1))
    guard.send_signal(me._replace(started=me.started - 1), signal.SIGKILL)  # still here


FIRST_THREAD_ENDS = (
    "import ctypes, threading, time\n"
    "threading.Thread(target=time.sleep, args=(600,)).start()\n"
    "ctypes.CDLL(None).pthread_exit(None)"
)


def test_process_whose_first_thread_has_ended_still_runs() -> None:
    environment = {**os.environ, "MARKED": "first"}
    started = psutil.Popen([sys.executable, "-I", "-S", "-c", FIRST_THREAD_ENDS], env=environment)
    try:
        known = guard.process(started.pid)
        assert known is not None
        assert [found.pid for found in marked("MARKED", "first")] == [started.pid]
        eventually(lambda: started.status() == psutil.STATUS_ZOMBIE)
        for found in (guard.descendants(os.getpid()), below(os.getpid())):
            assert started.pid in {one.pid for one in found}
        assert guard.is_alive(known)
    finally:
        started.kill()
    # Nobody has waited for it: now it is nothing but a zombie.
    eventually(lambda: not guard.is_alive(known))
    assert not runs(psutil.Process(started.pid))
    started.wait()
    assert below(started.pid) == []
