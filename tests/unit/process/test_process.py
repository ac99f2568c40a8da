"""A command runs to its end with its output in a file, or is stopped with everything it started."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from fixtures.errors import ServerError
from fixtures.process.command import CommandTimedOut, run_logged, running
from fixtures.process.guard import process
from tests.unit.waiting import PROGRAMS, alive, noted

PYTHON = (sys.executable, "-I", "-S", "-c")


def test_exit_code_output_and_time(tmp_path: Path) -> None:
    log = tmp_path / "log"
    finished = run_logged(
        ("sh", "-c", "echo out; echo err >&2; pwd; exit 4"), log=log, cwd=tmp_path, env=None, timeout=10, on_line=None
    )
    assert finished.exit_code == 4
    assert 0 < finished.seconds < 5
    assert log.read_text() == f"out\nerr\n{tmp_path}\n"


def test_it_has_no_input_and_the_environment_given(tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = "import os, sys; print(repr(sys.stdin.read()), sorted(os.environ.keys() - {'LC_CTYPE'}))"
    run_logged((*PYTHON, script), log=log, cwd=tmp_path, env={"ONLY": "this"}, timeout=10, on_line=None)
    assert log.read_text() == "'' ['ONLY', 'PYTHONUNBUFFERED']\n"


def test_lines_come_while_it_runs_progress_bars_too(tmp_path: Path) -> None:
    script = (
        "import sys, time\n"
        "write = lambda text: (sys.stdout.buffer.write(text), sys.stdout.flush(), time.sleep(0.15))\n"
        "write('半'.encode()[:2]); write('半'.encode()[2:] + b' line\\n')\n"
        "write(b'\\r10%'); write(b'\\r20%\\n\\n'); write(b'\\xff last')"
    )
    lines: list[tuple[str, float]] = []
    started = time.monotonic()
    finished = run_logged(
        (*PYTHON, script), log=tmp_path / "log", cwd=tmp_path, env=None, timeout=10,
        on_line=lambda line: lines.append((line, time.monotonic() - started)),
    )  # fmt: skip
    assert [line for line, _ in lines] == ["半 line", "10%", "20%", "\ufffd last"]
    assert lines[0][1] < finished.seconds - 0.25


def test_a_megabyte_of_output_that_nobody_reads_does_not_block(tmp_path: Path) -> None:
    log = tmp_path / "log"
    run_logged((*PYTHON, "print('x' * 1_000_000)"), log=log, cwd=tmp_path, env=None, timeout=10, on_line=None)
    assert log.stat().st_size == 1_000_001


def test_too_slow_is_stopped_with_all_it_started(tmp_path: Path) -> None:
    pids, log = tmp_path / "pids", tmp_path / "log"
    command = ("sh", "-c", f'echo calibrating; exec "$@" --pids {pids}', "sh", *PYTHON[:3], PROGRAMS / "family.py")
    with pytest.raises(CommandTimedOut, match=r"did not end within 2 s(.|\n)*calibrating"):
        run_logged([str(word) for word in command], log=log, cwd=tmp_path, env=None, timeout=2, on_line=None)
    assert alive(noted(pids, 3)) == []
    assert "stopped cleanly" in log.read_text()  # asked before it was killed


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_any_exception_stops_it(tmp_path: Path, error: type[BaseException]) -> None:
    pids = tmp_path / "pids"
    script = f"exec {sys.executable} {PROGRAMS / 'family.py'} --pids {pids}"

    def fail(line: str) -> None:
        noted(pids, 3)
        raise error(line)

    with pytest.raises(error, match="begun"):
        run_logged(
            ("sh", "-c", f"echo begun; {script}"),
            log=tmp_path / "log",
            cwd=tmp_path,
            env=None,
            timeout=10,
            on_line=fail,
        )
    assert alive(noted(pids, 3)) == []


def test_who_waits_can_stop_it_though_it_says_nothing(tmp_path: Path) -> None:
    began = time.monotonic()

    def on_wait() -> None:
        if time.monotonic() - began > 0.2:
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        run_logged(
            ("sleep", "30"), log=tmp_path / "log", cwd=tmp_path, env=None, timeout=30, on_line=None, on_wait=on_wait
        )
    assert time.monotonic() - began < 10


def test_killed_by_a_signal_is_an_exit_code_as_in_a_shell(tmp_path: Path) -> None:
    finished = run_logged(
        ("sh", "-c", "kill -9 $$"), log=tmp_path / "log", cwd=tmp_path, env=dict(os.environ), timeout=10, on_line=None
    )
    assert finished.exit_code == 137


def test_a_terminals_ctrl_c_does_not_reach_its_guard(tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = "import os; print(os.getsid(os.getppid()))"
    run_logged((*PYTHON, script), log=log, cwd=tmp_path, env=None, timeout=10, on_line=None)
    assert int(log.read_text()) != os.getsid(0)


def _refused(how: str, end: str) -> ServerError:
    return ServerError(f"no program: {how}", detail=end)


def test_a_program_runs_from_ready_to_the_end_of_the_block(tmp_path: Path) -> None:
    program = f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    pid = tmp_path / "pid"
    log = tmp_path / "log"
    with running(
        [sys.executable, "-c", program],
        log=log,
        ready=lambda: pid.exists() and bool(pid.read_text()),
        timeout=20,
        not_ready=_refused,
    ):
        found = process(int(pid.read_text()))
        assert found is not None
        assert alive([found])
    assert not alive([found])


@pytest.mark.parametrize(
    ("program", "said", "shown"),
    [
        ("raise SystemExit('no such option')", "it ended", "no such option"),
        ("import time; time.sleep(60)", "not within 0.2 s", ""),
    ],
)
def test_a_program_that_is_never_ready_says_why(tmp_path: Path, program: str, said: str, shown: str) -> None:
    began = time.monotonic()
    log = tmp_path / "log"
    argv = [sys.executable, "-c", program]
    timeout = 20.0 if said == "it ended" else 0.2
    with (
        pytest.raises(ServerError, match=said) as refused,
        running(argv, log=log, ready=lambda: False, timeout=timeout, not_ready=_refused),
    ):
        pytest.fail("it was never ready")
    assert time.monotonic() - began < 10
    assert refused.value.detail == shown
