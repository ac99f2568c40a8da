"""Faults done for real to a run on a GPU: the server or pytest itself is killed, or memory is missing at the start.

Each is a run of the homework with the stand-in in a process of its own, which is struck at a known moment. What counts
is what a person has afterwards: the cause in the verdict, a report, and a GPU as it was, with no process left.
"""

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import psutil

from fixtures.errors import AcceptanceError, said
from fixtures.evidence import EVENTS_FILE, read
from fixtures.evidence.events import Entry, ServerLaunched, ServerReady, TestFinished
from fixtures.gpu.ballast import CONTEXT_MIB, ballast
from fixtures.gpu.probe import Probe
from fixtures.gpu.sampler import Release, wait_released
from fixtures.judge.verdict import Reason, Verdict, judge
from fixtures.process.port import listener
from fixtures.process.tree import kill, marked
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
    """One way to break a run.

    :param code: of the reason that the verdict must give; any, where empty.
    :param words: must appear in that reason, whatever the language.
    :param strike: `kill_server` and `kill_pytest` (SIGKILL) in a request, `interrupt_pytest` (SIGINT) while the
        server starts, or nothing.
    :param arguments: of the struck run.
    :param short_of_memory: another process leaves it :data:`LEFT_FREE_MIB`.
    :param within_s: from the strike, or from the launch of a server that fails by itself, to the end of pytest and of
        every process of the run.
    """

    id: str
    within_s: float
    code: str = ""
    words: str = ""
    strike: str = ""
    arguments: tuple[str, ...] = ()
    short_of_memory: bool = False

    def explains(self, reason: Reason) -> bool:
        """Whether a reason of the verdict is that of this fault."""
        return self.code in ("", reason.code) and self.words in said(reason.detail, Texts("en"))


FAULTS: Final = (
    Fault("server-killed-in-a-request", 20, words="SIGKILL", strike="kill_server"),
    # The guard gives the server its 30 s to stop.
    Fault("pytest-killed-in-a-request", 45, code="killed", strike="kill_pytest"),
    Fault("interrupted-in-the-start", 45, code="interrupted", words="SIGINT", strike="interrupt_pytest"),
    Fault(
        "out-of-memory-at-the-start", 110, words="out of memory", short_of_memory=True,
        # A start takes 20 s; one that hangs without memory is given up after 60, and 30 to stop it.
        arguments=("--cache-max-entry-count", "0.99", "--start-timeout", "60"),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Suffered:
    """What a fault left, with memory in MiB (None without a GPU) and times in seconds.

    :param exit_code: of pytest, -n for signal n.
    :param seconds: from the strike to the end of pytest and of every process of the run.
    :param evidence: folder of the struck run.
    :param report: its page; empty where there is none.
    :param left: pids of processes that had to be killed afterwards.
    :param peak_mib: at the strike, or highest while the server started.
    """

    fault: Fault
    exit_code: int
    seconds: float
    verdict: Verdict
    evidence: Path
    report: str
    console: str
    left: list[int]
    idle_mib: float | None
    peak_mib: float | None
    release: Release | None

    @property
    def pytest_lived(self) -> bool:
        """Whether pytest ended by itself."""
        return self.exit_code >= 0

    def row(self) -> dict[str, Any]:
        """The fault as a row of the record."""
        explained = any(map(self.fault.explains, self.verdict.reasons))
        return {
            "id": self.fault.id,
            "strike": self.fault.strike,
            "reasons": [asdict(reason) for reason in self.verdict.reasons],
            "caught": bool(explained and self.report),
            "exit_code": self.exit_code,
            "seconds": self.seconds,
            "outcome": self.verdict.outcome,
            "left": self.left,
            "idle_mib": self.idle_mib,
            "peak_mib": self.peak_mib,
            **(self.release.row() if self.release else {"released_mib": None, "released_seconds": None}),
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
    probe, seen = place.probe, [0.0]

    def look() -> None:
        if probe is not None:
            seen.append(probe.used_mib())

    with ExitStack() as stack:
        if fault.short_of_memory:
            if probe is None:
                raise AcceptanceError("no_memory_to_miss", where="--rehearse")
            free = probe.total_mib() - probe.reserved_mib() - probe.used_mib()
            stack.enter_context(ballast(round(free - LEFT_FREE_MIB - CONTEXT_MIB)))
        idle = probe.used_mib() if probe else None
        run = stack.enter_context(closing(_Run(place, fault)))
        run.await_event(ServerLaunched)
        if fault.strike == "interrupt_pytest":
            run.await_server_on_gpu(probe, idle)
        elif fault.strike:
            run.freeze_in_a_request()
        look()
        struck = time.monotonic()
        run.strike(fault.strike)
        exit_code = run.wait(fault.within_s, look)
        left = run.wait_gone(struck + fault.within_s)
        return Suffered(
            fault=fault,
            exit_code=exit_code,
            left=left,
            seconds=round(time.monotonic() - struck, 3),
            verdict=judge(run.entries()),
            evidence=run.evidence,
            report=run.report(),
            console=run.console.read_text(encoding="utf-8", errors="replace"),
            idle_mib=idle,
            peak_mib=max(seen) if probe else None,
            release=wait_released(probe.used_mib, idle) if probe and idle is not None else None,
        )


class _Run:
    """A struck run: its pytest, what it writes, and the processes that belong to it."""

    def __init__(self, place: Place, fault: Fault) -> None:
        self._folder = folder = place.folder / fault.id
        folder.mkdir(parents=True)
        self._name = f"{fault.id}-{secrets.token_hex(4)}"
        self._server: psutil.Process
        self.console = folder / "console.txt"
        arguments = [
            "-m", "gpu", "--checkpoint", "standin", "--calibration", "local", "--report-lang", "en",
            "--report-pictures", "off", "--work-dir", str(place.settings.work_dir), "--evidence-dir", str(folder),
            "-o", f"cache_dir={folder / 'cache'}", *(["--rehearse"] if place.settings.rehearse else []),
        ]  # fmt: skip
        with self.console.open("wb") as output:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "pytest", "tests/acceptance", *arguments, *fault.arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=place.root,
                env={**os.environ, MARK: self._name},
                start_new_session=True,  # Ctrl-C of the outer run is not the fault that is tried
            )

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

    def await_event(self, kind: type, wanted: Callable[[Any], bool] = lambda _: True) -> Any:
        """Wait for the first event of this kind that is `wanted`."""

        def found() -> Any:
            events = (entry.event for entry in self.entries())
            return next((event for event in events if isinstance(event, kind) and wanted(event)), None)

        return self._await(found, kind.__name__)

    def await_server_on_gpu(self, probe: Probe | None, idle: float | None) -> None:
        """Wait until the starting server has a CUDA context, or without a GPU for a while."""
        if probe is None or idle is None:
            time.sleep(LOADING_S)
        else:
            self._await(lambda: probe.used_mib() > idle + ON_THE_GPU_MIB, "CUDA")

    def freeze_in_a_request(self) -> None:
        """Stop the server's process where the homework's chat comes next, and wait until a request hangs in it."""
        self.await_event(ServerReady)
        address = urlsplit(self.await_event(ServerLaunched).url)
        pid = listener(str(address.hostname), address.port or 0, (found.pid for found in self._processes()))
        assert pid is not None  # it is ready
        self._server = psutil.Process(pid)
        self.await_event(TestFinished, lambda done: (done.claim, done.when) == ("server.named_model", "teardown"))
        self._server.suspend()
        time.sleep(FROZEN_S)

    def strike(self, strike: str) -> None:
        """Strike it; the empty strike does nothing."""
        match strike:
            case "kill_server":
                self._server.kill()
            case "kill_pytest":
                self._child.kill()
                self._server.resume()  # it must be able to stop when the guard asks it to
            case "interrupt_pytest":
                self._child.send_signal(signal.SIGINT)

    def wait(self, seconds: float, look: Callable[[], None]) -> int:
        """Wait for pytest's exit code; one that does not end in time is killed."""
        deadline = time.monotonic() + seconds
        while self._child.poll() is None and time.monotonic() < deadline:
            look()
            time.sleep(0.05)
        self._child.kill()
        return self._child.wait()

    def wait_gone(self, deadline: float) -> list[int]:
        """Wait until no process of the run is left; return the pids of those that are at the deadline."""
        while left := self._processes():
            if time.monotonic() > deadline:
                return [found.pid for found in left]
            time.sleep(0.05)
        return []

    def close(self) -> None:
        """End whatever of the run still lives."""
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
                end = self.console.read_text(encoding="utf-8", errors="replace")[-3000:]
                raise AcceptanceError("moment_never_came", where=self._folder.name, detail=end, moment=what)
            time.sleep(0.01)
        return found
