"""Nothing of a guarded command outlives it, its guard's orders or its guard's parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.process import guard
from tests.unit.waiting import PROGRAMS, ROOT, alive, eventually, noted

FAMILY = [sys.executable, "-I", "-S", str(PROGRAMS / "family.py")]


@pytest.fixture
def pids(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "pids"
    yield path
    if path.exists():  # a failed test must not leave what it is about
        for left in alive(noted(path)):
            os.kill(left.pid, signal.SIGKILL)


def start(*command: str, grace: float = 5.0, **options: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        guard.guarded(command, grace=grace), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options
    )


def family(pids: Path, *switches: str) -> list[str]:
    return [*FAMILY, "--pids", str(pids), *switches]


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        (("sh", "-c", "exit 7"), 7, b""),
        (("sh", "-c", "kill -TERM $$"), 128 + 15, b""),
        (("/no/such/program",), guard.EXIT_NOT_FOUND, b"guard: cannot run /no/such/program: No such file"),
        (("/etc/passwd",), guard.EXIT_NOT_EXECUTABLE, b"guard: cannot run /etc/passwd: Permission denied"),
        (("sh", "-c", "echo $1 $2", "x", "--", "-a"), 0, b"-- -a\n"),
        (("grep", "SigIgn", "/proc/self/status"), 0, b"SigIgn:\t0000000000000000\n"),
    ],
)
def test_exit_code_and_output_are_the_commands(command: tuple[str, ...], code: int, said: bytes) -> None:
    process = start(*command, stdin=subprocess.PIPE)
    output, _ = process.communicate(timeout=10)
    assert (process.returncode, said in output) == (code, True), output


def test_a_command_that_asks_gets_no_answer_instead_of_waiting() -> None:
    process = start("cat", stdin=subprocess.PIPE)
    assert process.wait(10) == 0
    process.communicate()


def test_survivors_of_a_command_that_ends_by_itself_are_killed(pids: Path) -> None:
    process = start(*family(pids, "--exit", "7"))
    assert process.wait(10) == 7
    assert alive(noted(pids, 3)) == []


def test_survivors_of_a_command_that_crashes_are_killed(pids: Path) -> None:
    process = start(*family(pids, "--kill-self"))
    assert process.wait(10) == 137
    assert alive(noted(pids, 3)) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_told_to_stop_it_lets_the_command_stop_and_kills_the_rest(pids: Path, number: signal.Signals) -> None:
    process = start(*family(pids))
    tree = noted(pids, 3)
    assert len(alive(tree)) == 3
    process.send_signal(number)
    output, _ = process.communicate(timeout=10)
    assert (process.returncode, output) == (5, b"stopped cleanly\n")
    assert alive(tree) == []


def test_a_command_that_ignores_signals_is_killed_after_the_grace(pids: Path) -> None:
    process = start(*family(pids, "--ignore-signals"), grace=0.2)
    tree = noted(pids, 3)
    told = time.monotonic()
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=10)
    assert 0.2 <= time.monotonic() - told < 8
    assert process.returncode == 137
    assert b"did not stop within 0.2 s of SIGINT: killed" in output
    assert alive(tree) == []


def test_sigint_ignored_by_the_shell_that_started_us_still_stops_the_command(pids: Path) -> None:
    script = f'trap "" INT; exec {sys.executable} -S {PROGRAMS / "watched.py"} 30 "$@"'
    watched = subprocess.Popen(
        ["sh", "-c", script, "sh", *family(pids)], env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE
    )
    tree = noted(pids, 3)
    watched.kill()
    watched.communicate(timeout=10)  # at the end of the command's output
    assert eventually(lambda: not alive(tree)) < 2


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_tree_goes_when_the_parent_is_killed(pids: Path, number: signal.Signals) -> None:
    watched = subprocess.Popen(
        [sys.executable, "-S", str(PROGRAMS / "watched.py"), "5", *family(pids)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    tree = noted(pids, 3)
    watched.send_signal(number)
    watched.wait(10)
    assert eventually(lambda: not alive(tree)) < 2


def test_the_command_dies_with_a_killed_guard(pids: Path) -> None:
    process = start(*family(pids))
    tree = noted(pids, 3)
    process.kill()
    process.wait(10)
    assert eventually(lambda: not alive(tree[:1])) < 2


def test_it_starts_nothing_when_the_parent_is_gone_already(tmp_path: Path) -> None:
    command = guard.guarded(["touch", str(tmp_path / "started")], grace=1)
    command[command.index(str(os.getpid()))] = "1"
    finished = subprocess.run(command, capture_output=True, timeout=10, check=False)
    assert finished.returncode == guard.EXIT_GUARD_FAILED
    assert b"the parent 1 is gone: nothing started" in finished.stderr
    assert not (tmp_path / "started").exists()


def test_other_systems_get_a_clear_refusal(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert guard.main(["1", "1", "true"]) == guard.EXIT_GUARD_FAILED
    assert "needs Linux" in capfd.readouterr().err


@pytest.mark.parametrize("words", [[], ["1"], ["1", "1"], ["soon", "1", "true"], ["1", "parent", "true"]])
def test_called_wrongly_it_says_how_it_is_called(words: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert guard.main(words) == guard.EXIT_WRONG_USAGE
    assert "usage: guard.py GRACE PARENT COMMAND" in capfd.readouterr().err


def test_a_reused_pid_is_another_process() -> None:
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


def test_a_process_whose_first_thread_has_ended_still_runs() -> None:
    started = subprocess.Popen([sys.executable, "-I", "-S", "-c", FIRST_THREAD_ENDS])
    try:
        known = guard.process(started.pid)
        assert known is not None
        eventually(lambda: (now := guard.process(started.pid)) is not None and now.state == "Z")
        assert guard.is_alive(known)
        assert known.pid in {found.pid for found in guard.descendants(os.getpid())}
    finally:
        started.kill()
    eventually(lambda: not guard.is_alive(known))  # nobody has waited for it: now it is nothing but a zombie
    assert (left := guard.process(started.pid)) is not None
    assert (left.state, left.threads) == ("Z", 1)
    started.wait()


def test_it_starts_quickly_from_any_folder(tmp_path: Path) -> None:
    started = time.monotonic()
    subprocess.run(guard.guarded(["true"], grace=1), cwd=tmp_path, env={}, check=True, timeout=10)
    assert time.monotonic() - started < 5  # 0.06 s on an idle machine
