"""One run of the suite under a fault: where it happens, what is given to it, what it left behind."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import filelock
import psutil

from fixtures.errors import said
from fixtures.evidence import EVENTS_FILE, read
from fixtures.evidence.events import Entry, ServerLaunched, TestFinished, TryJudged
from fixtures.homework import CLAIMS
from fixtures.judge.verdict import Verdict, judge
from fixtures.process.port import bind_error
from fixtures.process.tree import marked
from fixtures.texts import Texts
from tests.faults.environment import Environment

CARD: Final = {"name": "NVIDIA GeForce RTX 4090", "total": 24564, "reserved": 400, "count": 1}
"""The learner's: 24 GB."""

MARK: Final = "FAULT_RUN"
"""Environment variable that everything started by a run inherits: what still has it afterwards was left behind."""

LONGEST_RUN_S: Final = 90.0
"""No fault may keep the suite busy for longer; all its timeouts are set to a few seconds here."""

SETTLE_S: Final = 3.0
"""For the guards of a run that was killed to take the rest down."""

ARGUMENTS: Final = {
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
    options: dict[str, str] = field(default_factory=lambda: dict(ARGUMENTS))
    arguments: list[str] = field(default_factory=lambda: ["tests/acceptance", "-m", "gpu"])
    variables: dict[str, str] = field(default_factory=dict)
    after: ExitStack = field(default_factory=ExitStack)
    prefix: list[str] = field(default_factory=list)
    """Words before the command, such as `prlimit --fsize=1000`."""

    cache_options: list[str] = field(default_factory=list)
    """pytest's, which give it a cache of its own."""

    mark: str = field(default_factory=lambda: f"{os.getpid()}-{next(_numbers)}")

    def __post_init__(self) -> None:
        for folder in (self.temporary, self.gpu / "processes", self.work):
            folder.mkdir(parents=True)
        self.set_card()
        (self.gpu / "others").write_text("0")
        self.cache_options = ["-o", f"cache_dir={self.folder / 'cache'}"]
        self.options |= {"--work-dir": str(self.work), "--evidence-dir": str(self.evidence)}
        self.variables |= {
            name: value for name, value in os.environ.items() if name in KEPT
        } | {
            MARK: self.mark,
            "FAULT": self.fault,
            "FAULT_GPU": str(self.gpu),
            "FAULT_MOMENT": str(self.folder / "moment"),
            "PYTEST_PLUGINS": "tests.faults.nvml",
            "TMPDIR": str(self.temporary),
        }  # fmt: skip

    @property
    def work(self) -> Path:
        """`--work-dir`."""
        return self.folder / "work"

    @property
    def evidence(self) -> Path:
        """`--evidence-dir`."""
        return self.folder / "evidence"

    @property
    def gpu(self) -> Path:
        """The GPU, see `nvml.py`."""
        return self.folder / "gpu"

    @property
    def temporary(self) -> Path:
        """$TMPDIR."""
        return self.folder / "tmp"

    def set_card(self, **changes: object) -> None:
        """Put another card into the machine."""
        (self.gpu / "card.json").write_text(json.dumps(CARD | changes))

    def command(self) -> list[str]:
        """pytest as it will run."""
        options = [f"{name}={value}" for name, value in self.options.items()]
        return [
            *self.prefix, str(self.environment.python), "-m", "pytest", *self.arguments, *options, *self.cache_options,
        ]  # fmt: skip

    def start(self) -> subprocess.Popen[bytes]:
        """Start pytest in a session of its own, as a terminal does."""
        with (self.folder / "console.txt").open("ab") as console:
            return subprocess.Popen(
                self.command(),
                cwd=self.environment.root,
                env=self.variables,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_heed_interrupts,
            )

    def another(self, name: str) -> Stage:
        """A run beside this one: the same cache, and a GPU and evidence of its own. It carries the same mark."""
        other = Stage(self.folder / name, self.environment, self.fault, mark=self.mark)
        other.options["--work-dir"] = str(self.work)
        return other

    def left(self) -> list[psutil.Process]:
        """Processes of this stage that still run."""
        return marked(MARK, self.mark)


ENGLISH: Final = Texts("en")

During = Callable[[Stage, "subprocess.Popen[bytes]"], None]
Act = Callable[[Stage], During | None]


@dataclass(frozen=True)
class Outcome:
    """What a run came to. `seconds` are those of the whole run, `told_after` those from the fault to its verdict."""

    exit_code: int
    seconds: float
    console: str
    folder: Path | None
    entries: tuple[Entry, ...]
    verdict: Verdict | None
    moment: float
    leftovers: tuple[str, ...]
    ended: float
    page: str

    def failures(self, claim: str) -> list[Entry]:
        """The phases of a claim's test that did not pass, in order."""
        return [
            entry
            for entry in self.entries
            if isinstance(entry.event, TestFinished) and entry.event.claim == claim and entry.event.outcome == "failed"
        ]

    def message(self, claim: str) -> str:
        """What the run says about a claim, or about a reason of the verdict; nothing where there is none."""
        tries = [entry.event.reason for entry in self.entries if _is_try(entry, claim)]
        causes = [entry.event.cause for entry in self.failures(claim) if isinstance(entry.event, TestFinished)]
        reasons = self.verdict.reasons if self.verdict else ()
        details = [reason.detail for reason in reasons if claim in (reason.claim, reason.code)]
        return "\n".join(said(found, ENGLISH) for found in [*causes, *tries] or details)

    def said(self, words: Sequence[str]) -> str:
        """The lines of the console that hold some of the words."""
        return "\n".join(line for line in self.console.splitlines() if any(word in line for word in words))

    def told_after(self, claim: str) -> float:
        """Seconds from the fault until the claim had failed; for what is no claim, until the run had ended."""
        failures = self.failures(claim)
        told = datetime.fromisoformat(failures[0].at).timestamp() if failures else self.ended
        return round(told - self.moment, 2)

    def first_reason(self) -> str:
        """The claim, or else the code, of the verdict's first reason; `accepted` if there is none."""
        if self.verdict is None:
            return "refused"
        if not self.verdict.reasons:
            return "accepted"
        return self.verdict.reasons[0].claim or self.verdict.reasons[0].code


def _is_try(entry: Entry, claim: str) -> bool:
    return isinstance(entry.event, TryJudged) and entry.event.claim == claim and not entry.event.right


def perform(stage: Stage, act: Act | None) -> Outcome:
    """Run pytest on the stage, with the act before and during it, and look at everything afterwards."""
    with stage.after:
        during = act(stage) if act is not None else None
        began, wall = time.monotonic(), time.time()
        process = stage.start()
        try:
            if during is not None:
                during(stage, process)
            exit_code = process.wait(max(1.0, LONGEST_RUN_S - (time.monotonic() - began)))
        finally:
            _end(process)
        seconds, ended = time.monotonic() - began, time.time()
        leftovers = look(stage, killed=exit_code == -signal.SIGKILL)
        moment = stage.folder / "moment"
        folder = _evidence_folder(stage)
        entries = tuple(read(folder)) if folder else ()
        return Outcome(
            exit_code=exit_code,
            seconds=round(seconds, 2),
            console=_text(stage.folder / "console.txt"),
            folder=folder,
            entries=entries,
            verdict=judge(entries) if entries else None,
            moment=float(moment.read_text()) if moment.exists() else wall,
            leftovers=tuple(leftovers),
            ended=ended,
            page=_text(Path(stage.options.get("--html") or (folder or stage.folder) / "report.html")),
        )


def _heed_interrupts() -> None:
    """A shell starts its background jobs with SIGINT ignored, which would be inherited as far as the inner pytest."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _text(file: Path) -> str:
    """A file's text, empty where there is none."""
    return file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""


def _end(process: subprocess.Popen[bytes]) -> None:
    """A run that hangs is a failure, and must not hang the next one too."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()


def _evidence_folder(stage: Stage) -> Path | None:
    """The newest run's evidence."""
    found = sorted(stage.evidence.glob(f"*/{EVENTS_FILE}"))
    return found[-1].parent if found else None


def look(stage: Stage, killed: bool) -> list[str]:
    """What the run left that it should not have.

    :param killed: pytest-xprocess's pid file stays then: its name is unique to the run, so that nobody trusts it.
    """
    deadline = time.monotonic() + SETTLE_S
    while stage.left() and time.monotonic() < deadline:
        time.sleep(0.05)
    found = [f"process {process.pid}" for process in stage.left()]
    for process in stage.left():
        os.kill(process.pid, signal.SIGKILL)
    found += [f"temporary {path.name}" for path in stage.temporary.iterdir() if path.name != "keep"]
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


def with_cache(stage: Stage, cache: Path) -> None:
    """Give the run the work directory of an earlier one, so that it need not quantize."""
    shutil.copytree(cache, stage.work, dirs_exist_ok=True)


def is_claim(name: str) -> bool:
    """Whether a claim of the homework is meant, whose failure comes first among the verdict's reasons."""
    return name in CLAIMS
