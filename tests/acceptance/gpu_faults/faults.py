"""Faults done for real to a run on a GPU: the server or pytest itself is killed, or memory is missing at the start.

Each is a run of the homework with the stand-in in a process of its own, which is struck at a known moment. What counts
is what a person has afterwards: the cause in the verdict, a report, and a GPU as it was, with no process left.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import psutil

from fixtures.errors import AcceptanceError
from fixtures.evidence import EVENTS_FILE, read
from fixtures.evidence.events import Entry, EnvironmentRecorded, ServerLaunched, ServerReady, TestFinished
from fixtures.gpu.ballast import CONTEXT_MIB, ballast
from fixtures.gpu.probe import Probe
from fixtures.gpu.sampler import Release, wait_released
from fixtures.judge.verdict import judge
from fixtures.process.port import listener
from fixtures.report.reasons import told
from fixtures.run.settings import Settings
from fixtures.texts import Texts

MARK: Final = "ACCEPTANCE_FAULT_RUN"
"""Environment variable that every process of a struck run inherits: what is left of it is found by it."""

MOMENT_TIMEOUT_S: Final = 300.0
"""Until the run is where it is to be struck: the first one quantizes (35 s) and each starts a server (20 s)."""
FROZEN_S: Final = 1.0
"""Between stopping the server and killing it: long enough that a request is surely waiting in it."""
ON_THE_GPU_MIB: Final = 300.0
"""More than this over the idle figure, and the starting server has a CUDA context."""
LOADING_S: Final = 2.0
"""Without a GPU to look at: a server that has been starting for so long is neither ready nor a mere process."""

LEFT_FREE_MIB: Final = 2500
"""For a server that is to find too little: CUDA context and weights fit, the cache takes 0.99 of the rest, and of the
working buffers, about 180 MiB for the stand-in, less than 50 find room."""


@dataclass(frozen=True)
class Fault:
    """One way to break a run. `layer` and `words` are what the catalogue of all faults has too.

    :param words: must appear in the verdict's reasons.
    :param strike: `kill the server` and `kill pytest` (SIGKILL), `interrupt pytest` (SIGINT) or nothing.
    :param moment: `in a request`, `in the start` or nothing.
    :param arguments: of the struck run.
    :param short_of_memory: another process leaves it :data:`LEFT_FREE_MIB`.
    :param within_s: from the strike, or from the launch of a server that fails by itself, to the end of pytest and of
        every process of the run.
    """

    id: str
    layer: str
    words: str
    within_s: float
    strike: str = ""
    moment: str = ""
    arguments: tuple[str, ...] = ()
    short_of_memory: bool = False


FAULTS: Final = (
    Fault(
        "server-killed-in-a-request", "server", "was killed by SIGKILL",
        within_s=20, strike="kill the server", moment="in a request",
    ),
    Fault(
        "pytest-killed-in-a-request", "host", "the run was killed",
        within_s=45, strike="kill pytest", moment="in a request",  # the guard gives the server its 30 s to stop
    ),
    Fault(
        "interrupted-in-the-start", "host", "the run was interrupted: KeyboardInterrupt",
        within_s=45, strike="interrupt pytest", moment="in the start",
    ),
    Fault(
        "out-of-memory-at-the-start", "VRAM", "out of memory",
        # A start takes 20 s; one that hangs without memory is given up after 60, and 30 to stop it.
        within_s=110, arguments=("--cache-max-entry-count", "0.99", "--start-timeout", "60"), short_of_memory=True,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Suffered:
    """What a fault left, with memory in MiB (None without a GPU) and times in seconds.

    :param seconds: from the strike to the end of pytest and of every process of the run.
    :param outcome, reasons: the verdict's, in English.
    :param evidence: folder of the struck run.
    :param report: its page; empty where there is none.
    :param left: processes that had to be killed afterwards.
    :param peak_mib: at the strike, or highest while the server started.
    """

    fault: Fault
    exit_code: int
    seconds: float
    outcome: str
    reasons: list[str]
    evidence: Path
    report: str
    console: str
    left: list[str]
    idle_mib: float | None
    peak_mib: float | None
    release: Release | None

    @property
    def pytest_lived(self) -> bool:
        """Whether pytest ended by itself."""
        return self.exit_code >= 0

    @property
    def said(self) -> list[str]:
        """The reasons that hold the fault's words."""
        return [reason for reason in self.reasons if self.fault.words in reason]

    def row(self) -> dict[str, Any]:
        """The fault as a row of the record."""
        release = self.release
        return {
            "id": self.fault.id,
            "layer": self.fault.layer,
            "strike": self.fault.strike,
            "moment": self.fault.moment,
            "words": self.fault.words,
            "said": self.said,
            "caught": bool(self.said and self.report),
            "exit_code": self.exit_code,
            "seconds": self.seconds,
            "outcome": self.outcome,
            "left": self.left,
            "idle_mib": self.idle_mib,
            "peak_mib": self.peak_mib,
            "released_mib": release.used_mib if release else None,
            "released_seconds": release.seconds if release else None,
        }


@dataclass(frozen=True)
class Place:
    """Where struck runs happen: the suite's root, the folder for what they leave, the GPU, the outer run's settings."""

    root: Path
    folder: Path
    probe: Probe | None
    settings: Settings


def suffer(place: Place, fault: Fault) -> Suffered:
    """Run the homework, do the fault to it, and see what is left. Nothing of it runs afterwards.

    :raises AcceptanceError: the run never came to the moment, or memory cannot be measured.
    """
    with ExitStack() as stack:
        if fault.short_of_memory:
            stack.enter_context(_short_of_memory(place.probe))
        idle = _used(place.probe)
        run = stack.enter_context(_running(place, fault))
        watched = _Peak(place.probe)
        run.await_event(ServerLaunched)
        if fault.moment == "in the start":
            run.await_server_on_gpu(place.probe, idle)
        elif fault.moment == "in a request":
            run.freeze_in_a_request()
        watched.look()
        struck = time.monotonic()
        run.strike(fault.strike)
        exit_code = run.wait(fault.within_s, watched.look)
        left = run.wait_gone(struck + fault.within_s)
        seconds = round(time.monotonic() - struck, 3)
        release = None
        if place.probe is not None and idle is not None:
            release = wait_released(place.probe.used_mib, idle)
        verdict = judge(run.entries())
        return Suffered(
            fault=fault,
            exit_code=exit_code,
            seconds=seconds,
            outcome=verdict.outcome,
            reasons=[f"{reason.sentence}\n{reason.more}".strip() for reason in told(verdict, Texts("en"))],
            evidence=run.evidence,
            report=run.report(),
            console=run.console.read_text(encoding="utf-8", errors="replace"),
            left=left,
            idle_mib=idle,
            peak_mib=watched.mib,
            release=release,
        )


@contextmanager
def _short_of_memory(probe: Probe | None) -> Iterator[None]:
    if probe is None:
        raise AcceptanceError("memory can only be missing where there is a GPU", where="a rehearsal")
    free = probe.total_mib() - probe.reserved_mib() - probe.used_mib()
    with ballast(round(free - LEFT_FREE_MIB - CONTEXT_MIB)):
        yield


def _used(probe: Probe | None) -> float | None:
    return None if probe is None else probe.used_mib()


class _Peak:
    """The highest reading of a probe so far; None without one."""

    def __init__(self, probe: Probe | None) -> None:
        self._probe = probe
        self.mib: float | None = None

    def look(self) -> None:
        if self._probe is not None:
            self.mib = max(self.mib or 0.0, self._probe.used_mib())


@contextmanager
def _running(place: Place, fault: Fault) -> Iterator[_Run]:
    folder = place.folder / fault.id
    folder.mkdir(parents=True)
    name = f"{fault.id}-{secrets.token_hex(4)}"
    arguments = [
        "-m", "gpu", "--checkpoint", "standin", "--calibration", "local", "--report-lang", "en",
        "--report-pictures", "off", "--work-dir", str(place.settings.work_dir), "--evidence-dir", str(folder),
        "-o", f"cache_dir={folder / 'cache'}", *(["--rehearse"] if place.settings.rehearse else []), *fault.arguments,
    ]  # fmt: skip
    console = folder / "console.txt"
    with console.open("wb") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "pytest", "tests/acceptance", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=place.root,
            env={**os.environ, MARK: name},
            start_new_session=True,  # Ctrl-C of the outer run is not the fault that is tried
        )
    run = _Run(child, name, folder, console)
    try:
        yield run
    finally:
        run.kill()


class _Run:
    """A struck run: its pytest, what it writes, and the processes that belong to it."""

    def __init__(self, child: subprocess.Popen[bytes], name: str, folder: Path, console: Path) -> None:
        self._child = child
        self._name = name
        self._folder = folder
        self._server: psutil.Process
        self.console = console

    @property
    def evidence(self) -> Path:
        """The folder of the run's evidence; the run's own folder as long as there is none."""
        return next((found.parent for found in self._folder.glob(f"*/{EVENTS_FILE}")), self._folder)

    def entries(self) -> list[Entry]:
        """What the run has logged so far."""
        return read(self.evidence) if self.evidence != self._folder else []

    def report(self) -> str:
        """The report's page, final or the one that stands there while the run is unfinished."""
        page = self.evidence / "report.html"
        return page.read_text(encoding="utf-8") if page.exists() else ""

    def await_event(self, kind: type, holds: Callable[[Any], bool] = lambda _: True) -> Any:
        """The first event of this kind that `holds`."""
        return self._await(
            lambda: next((e.event for e in self.entries() if isinstance(e.event, kind) and holds(e.event)), None),
            kind.__name__,
        )

    def await_server_on_gpu(self, probe: Probe | None, idle: float | None) -> None:
        """Wait until the starting server has a CUDA context, or without a GPU for a while."""
        if probe is None or idle is None:
            time.sleep(LOADING_S)
        else:
            self._await(lambda: probe.used_mib() > idle + ON_THE_GPU_MIB, "a CUDA context")

    def freeze_in_a_request(self) -> None:
        """Stop the server's process where the homework's chat comes next, and wait until a request hangs in it."""
        self.await_event(ServerReady)
        self._server = psutil.Process(self._listening())
        self.await_event(TestFinished, lambda done: (done.claim, done.when) == ("server.named_model", "teardown"))
        self._server.suspend()
        time.sleep(FROZEN_S)

    def strike(self, strike: str) -> None:
        """Do it; the empty strike does nothing."""
        match strike:
            case "kill the server":
                self._server.kill()
            case "kill pytest":
                self._child.kill()
                self._server.resume()  # it must be able to stop when the guard asks it to
            case "interrupt pytest":
                self._child.send_signal(signal.SIGINT)

    def _listening(self) -> int:
        """The pid of the run's own server."""
        address = urlsplit(self.await_event(ServerLaunched).url)
        pid = listener(str(address.hostname), address.port or 0, (found.pid for found in self._processes()))
        assert pid is not None  # it is ready
        return pid

    def wait(self, seconds: float, look: Callable[[], None]) -> int:
        """pytest's exit code, -n for signal n; one that does not end in time is killed, and its code says so."""
        deadline = time.monotonic() + seconds
        while self._child.poll() is None and time.monotonic() < deadline:
            look()
            time.sleep(0.05)
        self._child.kill()
        return self._child.wait()

    def wait_gone(self, deadline: float) -> list[str]:
        """Wait until no process of the run is left; names those that are at the deadline."""
        while left := self._processes():
            if time.monotonic() > deadline:
                return [f"process {found.pid} ({found.status()})" for found in left]
            time.sleep(0.05)
        return []

    def kill(self) -> None:
        """Nothing of the run outlives the trial."""
        self._child.kill()
        self._child.wait()
        for found in self._processes():
            kill(found)

    def _processes(self) -> list[psutil.Process]:
        return marked(MARK, self._name)

    def _await(self, condition: Callable[[], Any], what: str) -> Any:
        deadline = time.monotonic() + MOMENT_TIMEOUT_S
        while not (found := condition()):
            ended = self._child.poll()
            if ended is not None or time.monotonic() > deadline:
                raise AcceptanceError(
                    f"the run never came to the moment at which it was to be struck: {what}",
                    where=self._folder.name,
                    remedy="see first that `pytest -m gpu --checkpoint standin` passes here",
                    detail=self.console.read_text(encoding="utf-8", errors="replace")[-3000:],
                )
            time.sleep(0.01)
        return found


def record(
    suffered: Sequence[Suffered], environment: EnvironmentRecorded, command: str, now: datetime
) -> dict[str, Any]:
    """What was run, on what, and a row for each fault. MiB, seconds."""
    rows = [one.row() for one in suffered]
    return {
        "command": command,
        "date": now.isoformat(timespec="seconds"),
        **asdict(environment),
        "faults": rows,
        "leftovers": sum(len(row["left"]) for row in rows),
    }
