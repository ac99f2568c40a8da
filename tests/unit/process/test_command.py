"""A command runs to its end with its output in a file, or is stopped with everything it started."""

import os
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from fixtures.errors import ServerError
from fixtures.process.command import CommandTimedOut, Finished, run_logged, running
from tests.unit.waiting import PROGRAMS, alive, noted

PYTHON = (sys.executable, "-I", "-S", "-c")
WAITS = f"{sys.executable} -I -S {PROGRAMS / 'server.py'} --family"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def run(log: Path, *argv: str, **how: object) -> Finished:
    return run_logged(argv, log=log, cwd=log.parent, **{"env": None, "timeout": 10, "on_line": lambda _: None, **how})


def test_exit_code_output_and_time_are_kept(log: Path) -> None:
    finished = run(log, "sh", "-c", "echo out; echo err >&2; pwd; exit 4")
    assert finished.exit_code == 4
    assert 0 < finished.seconds < 5
    assert log.read_text() == f"out\nerr\n{log.parent}\n"
    assert run(log, "sh", "-c", "kill -9 $$").exit_code == 137


def test_command_has_no_input_no_terminal_and_the_environment_given(log: Path) -> None:
    script = (
        "import os, sys; print(repr(sys.stdin.read()), sorted(os.environ.keys() - {'LC_CTYPE'}), "
        "os.getsid(os.getppid())); print('x' * 1_000_000)"  # what nobody reads does not block
    )
    run(log, *PYTHON, script, env={"ONLY": "this"})
    first, rest = log.read_text().split("\n", 1)
    words, session = first.rsplit(" ", 1)
    assert words == "'' ['ONLY', 'PYTHONUNBUFFERED']"
    assert int(session) != os.getsid(0)
    assert len(rest) == 1_000_001


def test_lines_are_told_while_it_runs(log: Path) -> None:
    script = (
        "import sys, time\n"
        "write = lambda text: (sys.stdout.buffer.write(text), sys.stdout.flush(), time.sleep(0.15))\n"
        "write('半'.encode()[:2]); write('半'.encode()[2:] + b' line\\n')\n"
        "write(b'\\r10%'); write(b'\\r20%\\n\\n'); write(b'\\xff last')"
    )
    lines: list[tuple[str, float]] = []
    started = time.monotonic()
    finished = run(log, *PYTHON, script, on_line=lambda line: lines.append((line, time.monotonic() - started)))
    assert [line for line, _ in lines] == ["半 line", "10%", "20%", "\ufffd last"]
    assert lines[0][1] < finished.seconds - 0.25


def test_command_that_is_too_slow_is_stopped_with_all_it_started(log: Path, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"echo calibrating; exec {WAITS} --pids {pids}"
    with pytest.raises(CommandTimedOut) as stopped:
        run(log, "sh", "-c", script, timeout=2)
    assert "calibrating" in stopped.value.detail
    assert alive(noted(pids, 4)) == []
    assert "stopped cleanly" in log.read_text()  # asked before it was killed


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
@pytest.mark.parametrize("teller", ["on_line", "on_wait"])
def test_exception_of_who_waits_stops_it(log: Path, tmp_path: Path, error: type[BaseException], teller: str) -> None:
    pids = tmp_path / "pids"

    def fail(*_: str) -> None:
        noted(pids, 4)
        raise error("begun")

    script = f"echo begun; exec {WAITS} --pids {pids}"
    with pytest.raises(error, match="begun"):
        run(log, "sh", "-c", script, **{teller: fail})
    assert alive(noted(pids, 4)) == []


def test_program_runs_from_ready_to_the_end_of_the_block(log: Path, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    program = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid()) + '\\n'); time.sleep(60)"
    argv = [sys.executable, "-c", program]
    with running(argv, log=log, ready=lambda: bool(noted(pid)), timeout=20, not_ready=_refused):
        found = psutil.Process(int(pid.read_text()))
        assert alive([found])
    assert not alive([found])


@pytest.mark.parametrize(
    ("program", "timeout", "how", "shown"),
    [
        ("raise SystemExit('no such option')", 20.0, "command.ended", "no such option"),
        ("import time; time.sleep(60)", 0.2, "command.not_within", ""),
    ],
)
def test_program_that_is_never_ready_says_why(log: Path, program: str, timeout: float, how: str, shown: str) -> None:
    start = partial(running, [sys.executable, "-c", program], log=log, ready=lambda: False, timeout=timeout)
    with pytest.raises(ServerError) as refused, start(not_ready=_refused):
        pytest.fail("it was never ready")
    assert (refused.value.fields["how"].id, refused.value.detail) == (how, shown)


def _refused(how: object, end: str) -> ServerError:
    return ServerError("no_program", detail=end, how=how)
