"""One run of the suite under a fault: where it happens, what is given to it, what it left behind."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import filelock
import psutil

from fixtures.errors import ServerError, said
from fixtures.evidence import EVENTS_FILE, read
from fixtures.evidence.events import Entry, ServerLaunched, TestFinished, TryJudged
from fixtures.homework import MODEL_NAME
from fixtures.judge.verdict import Verdict, judge
from fixtures.process.command import running
from fixtures.process.port import bind_error, free_port
from fixtures.process.tree import marked
from fixtures.server.readiness import ask as get
from fixtures.standin.checkpoint import STANDIN
from fixtures.texts import Texts
from tests.faults.environment import Environment

CARD: Final = {"name": "NVIDIA GeForce RTX 4090", "total": 24564, "reserved": 400, "count": 1, "capability": [8, 9]}
"""The learner's: 24 GB."""

MARK: Final = "FAULT_RUN"
"""Environment variable that everything started by a run inherits: what still has it afterwards was left behind."""

LONGEST_RUN_S: Final = 90.0
"""No fault may keep the suite busy for longer; all its timeouts are set to a few seconds here."""

SETTLE_S: Final = 3.0
"""For the guards of a run that was killed to take the rest down."""

OPTIONS: Final = {
    "-m": "gpu",
    "--checkpoint": "standin",
    "--calibration": "local",
    "--report-pictures": "off",
    "--quantize-timeout": "20",
    "--start-timeout": "20",
    "--stop-timeout": "2",
    "--request-timeout": "10",
}
"""Timeouts for a stand-in that is ready in half a second, with room for a busy machine."""

KEPT: Final = ("PATH", "HOME", "LANG", "LC_ALL", "PYTHONPYCACHEPREFIX")
"""Of the outer environment. Nothing else: no settings, proxies or plugins of whoever runs the tests."""

_numbers: Final = itertools.count(1)


@dataclass
class Stage:
    """A run before it starts. Acts change `options`, `variables` and what lies in the folders."""

    folder: Path
    environment: Environment
    fault: str
    tests: str = "tests/acceptance"
    options: dict[str, str] = field(default_factory=lambda: dict(OPTIONS))
    arguments: list[str] = field(default_factory=list)
    """What stands behind the options, and is stronger."""

    variables: dict[str, str] = field(default_factory=dict)
    after: ExitStack = field(default_factory=ExitStack)
    prefix: list[str] = field(default_factory=list)
    """Words before the command, such as `prlimit --fsize=1000`."""

    mark: str = field(default_factory=lambda: f"{os.getpid()}-{next(_numbers)}")
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.work = self.folder / "work"
        self.evidence = self.folder / "evidence"
        self.gpu = self.folder / "gpu"  # see `nvml.py`
        self.temporary = self.folder / "tmp"
        self.moment = self.folder / "moment"
        for folder in (self.temporary, self.gpu / "processes", self.work):
            folder.mkdir(parents=True)
        self.set_card()
        self.set_gpu("others", 0)
        self.options |= {
            "--work-dir": str(self.work),
            "--evidence-dir": str(self.evidence),
            "-o": f"cache_dir={self.folder / 'cache'}",
        }
        self.variables |= {name: os.environ[name] for name in KEPT if name in os.environ}
        self.variables |= {
            MARK: self.mark,
            "FAULT": self.fault,
            "FAULT_GPU": str(self.gpu),
            "FAULT_MOMENT": str(self.moment),
            "PYTEST_PLUGINS": "tests.faults.nvml",
            "TMPDIR": str(self.temporary),
        }

    def set_card(self, **changes: object) -> None:
        """Put another card into the machine."""
        self.set_gpu("card.json", json.dumps(CARD | changes))

    def set_gpu(self, name: str, content: object) -> None:
        """Write a file of the GPU's folder."""
        (self.gpu / name).write_text(str(content))

    def happens(self) -> None:
        """Note that the fault happens now."""
        self.moment.write_text(str(time.time()))

    def start(self) -> subprocess.Popen[bytes]:
        """Start pytest in a session of its own, as a terminal does."""
        options = [f"{name}={value}" for name, value in self.options.items()]
        pytest = [str(self.environment.python), "-m", "pytest", self.tests]
        with (self.folder / "console.txt").open("ab") as console:
            self.process = subprocess.Popen(
                [*self.prefix, *pytest, *options, *self.arguments],
                cwd=self.environment.root,
                env=self.variables,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # A shell starts its background jobs with SIGINT ignored, which the inner pytest would inherit.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        return self.process

    def another(self, name: str) -> Stage:
        """A run beside this one: the same cache, and a GPU and evidence of its own. It carries the same mark."""
        other = Stage(self.folder / name, self.environment, self.fault, mark=self.mark)
        other.options["--work-dir"] = str(self.work)
        return other

    def left(self) -> list[psutil.Process]:
        """Processes of this stage that still run."""
        return marked(MARK, self.mark)


@contextlib.contextmanager
def serving(environment: Environment, log: Path, *arguments: str) -> Iterator[int]:
    """The environment's api_server, healthy, for the length of a `with` block; its port."""
    port = free_port("127.0.0.1")
    command = [
        str(environment.program), "serve", "api_server", str(STANDIN), "--server-port", str(port),
        "--server-name", "127.0.0.1", "--model-name", MODEL_NAME, "--trust-remote-code", *arguments,
    ]  # fmt: skip
    with running(
        command,
        log=log,
        env={},
        ready=lambda: get("127.0.0.1", port, "/health").status == 200,
        timeout=30,
        not_ready=lambda how, end: ServerError("no_program", detail=end, how=how),
    ):
        yield port


ENGLISH: Final = Texts("en")

Act = Callable[[Stage], Iterator[None] | None]
"""What prepares a stage; where it yields, pytest is started before it goes on."""


@dataclass(frozen=True)
class Outcome:
    """What a run came to. `moment` and `ended` are seconds since the epoch: of the fault, and of the run's end."""

    exit_code: int
    console: str
    folder: Path | None
    entries: tuple[Entry, ...]
    verdict: Verdict | None
    moment: float
    ended: float
    leftovers: tuple[str, ...]
    page: str

    def failures(self, claim: str) -> list[tuple[str, TestFinished]]:
        """The phases of a claim's test that did not pass, in order, each with its time."""
        ends = [(entry.at, entry.event) for entry in self.entries if isinstance(entry.event, TestFinished)]
        return [(at, end) for at, end in ends if end.claim == claim and end.outcome == "failed"]

    def failed(self) -> list[str]:
        """The claims that failed, as they did."""
        ends = [entry.event for entry in self.entries if isinstance(entry.event, TestFinished)]
        return [end.claim for end in ends if end.claim and end.outcome == "failed"]

    def message(self, claim: str) -> str:
        """What the run says about a claim, or about a reason of the verdict; nothing where there is none."""
        tries = [entry.event for entry in self.entries if isinstance(entry.event, TryJudged)]
        found = [end.cause for _, end in self.failures(claim)]
        found += [judged.reason for judged in tries if judged.claim == claim and not judged.right]
        reasons = self.verdict.reasons if self.verdict else ()
        details = [reason.detail for reason in reasons if claim in (reason.claim, reason.code)]
        return "\n".join(said(each, ENGLISH) for each in found or details)

    def said(self, words: Sequence[str]) -> str:
        """The lines of the console that hold some of the words."""
        return "\n".join(line for line in self.console.splitlines() if any(word in line for word in words))

    def told_after(self, claim: str) -> float:
        """Seconds from the fault until the claim had failed; for what is no claim, until the run had ended."""
        failures = self.failures(claim)
        told = datetime.fromisoformat(failures[0][0]).timestamp() if failures else self.ended
        return round(told - self.moment, 2)

    def first_reason(self) -> str:
        """The claim, or else the code, of the verdict's first reason; `accepted` if there is none."""
        if self.verdict is None:
            return "refused"
        first = next(iter(self.verdict.reasons), None)
        return "accepted" if first is None else first.claim or first.code


def perform(stage: Stage, act: Act | None) -> Outcome:
    """Run pytest on the stage, with the act before and during it, and look at everything afterwards."""
    with stage.after:
        going = (act(stage) if act else None) or iter(())
        next(going, None)
        began, wall = time.monotonic(), time.time()
        process = stage.start()
        try:
            next(going, None)
            exit_code = process.wait(max(1.0, LONGEST_RUN_S - (time.monotonic() - began)))
        finally:
            _end(process)
        ended = time.time()
        leftovers = look(stage, killed=exit_code == -signal.SIGKILL)
        logs = sorted(stage.evidence.glob(f"*/{EVENTS_FILE}"))
        folder = logs[-1].parent if logs else None
        entries = tuple(read(folder)) if folder else ()
        return Outcome(
            exit_code=exit_code,
            console=_text(stage.folder / "console.txt"),
            folder=folder,
            entries=entries,
            verdict=judge(entries) if entries else None,
            moment=float(stage.moment.read_text()) if stage.moment.exists() else wall,
            ended=ended,
            leftovers=tuple(leftovers),
            page=_text(Path(stage.options.get("--html") or (folder or stage.folder) / "report.html")),
        )


def _text(file: Path) -> str:
    """A file's text, empty where there is none."""
    return file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""


def _end(process: subprocess.Popen[bytes]) -> None:
    """A run that hangs is a failure, and must not hang the next one too."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()


def look(stage: Stage, killed: bool) -> list[str]:
    """What the run left that it should not have.

    :param killed: pytest-xprocess's pid file stays then: its name is unique to the run, so that nobody trusts it.
    """
    deadline = time.monotonic() + SETTLE_S
    while (left := stage.left()) and time.monotonic() < deadline:
        time.sleep(0.05)
    for process in left:
        os.kill(process.pid, signal.SIGKILL)
    found = [f"process {process.pid}" for process in left]
    found += [f"temporary {path.name}" for path in stage.temporary.iterdir()]
    found += [f"pid file {path.name}" for path in (stage.folder / "cache").glob("**/*.PID") if not killed]
    for entry in (stage.work / "quantized").glob("*"):
        if entry.suffix == ".lock":
            try:
                filelock.FileLock(entry, timeout=0).acquire().lock.release()
            except filelock.Timeout:
                found.append(f"held lock {entry.name}")
            except OSError:
                continue  # the fault is that it cannot be opened
        elif not (entry / "made.json").exists():
            found.append(f"half-written cache entry {entry.name}")
    for log in stage.evidence.glob(f"*/{EVENTS_FILE}"):
        for launched in (entry.event for entry in read(log.parent) if isinstance(entry.event, ServerLaunched)):
            port = int(re.findall(r":(\d+)$", launched.url)[0])
            if bind_error("127.0.0.1", port) is not None:
                found.append(f"port {port}")
    return found
