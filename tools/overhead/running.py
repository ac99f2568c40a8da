"""Run one side: the suite as a user types it, or the bare script. Each has a folder of its own for what it makes."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from fixtures.errors import AcceptanceError
from fixtures.evidence import read
from fixtures.evidence.events import Exchanged
from fixtures.evidence.log import EVENTS_FILE
from fixtures.homework import MODEL_NAME, QUANTIZED_SUFFIX, AwqArguments
from fixtures.lmdeploy.commands import ROOT, Program
from fixtures.standin.tokenizer_files import TEMPLATE
from fixtures.process.port import free_port
from tools.overhead.pairs import Run, Slot

SCRIPT: Final = ROOT / "fixtures" / "overhead" / "bare.sh"
REQUESTS: Final = SCRIPT.with_name("requests.jsonl")

TIMEOUT_S: Final = 3600.0
"""For one run; the quantization of the 1.8B takes two minutes, a start 20 to 90 s."""

STEP: Final = re.compile(r"^(began|quantize|load|tests|stop) ([0-9]+[.,][0-9]+)$", re.MULTILINE)
"""A line of the script's output; Bash writes the fraction as the locale does."""

TAIL: Final = 3000
"""Characters of a failed run's output that are shown."""


@dataclass(frozen=True)
class Ground:
    """What both sides share.

    :param folder: that holds a folder for each side.
    :param origin: of the checkpoint: `path`, `standin` or `geometry`.
    :param data: folder with the local calibration set.
    :param overlap: the script is told the story while it asks for the calls.
    :param options: further words of the suite's command line.
    """

    folder: Path
    checkpoint: Path
    origin: str
    named: str
    data: Path
    arguments: AwqArguments
    program: Program
    overlap: bool
    options: tuple[str, ...]

    @property
    def asked(self) -> Path:
        """What the suite's last run asked and had answered, a body on each line: the script's next run asks the same.

        A sampled model may need another try at a call, and random weights need all of them.
        """
        return self.folder / "requests.jsonl"

    @property
    def suites_exit_code(self) -> int:
        """Of a run that did all it was to do: random weights hold no claim about what they say."""
        return 1 if self.origin == "geometry" else 0


def usual(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment with bytecode kept. Images for containers may switch that off: every run would compile the suite
    anew, and lmdeploy, which was compiled when it was installed, would cost the script nothing."""
    return {name: value for name, value in environment.items() if name != "PYTHONDONTWRITEBYTECODE"}


def suite_command(ground: Ground) -> list[str]:
    """The suite as a user types it, with folders of its own."""
    own = ground.folder / "suite"
    return [
        *(sys.executable, "-m", "pytest", "tests", "-m", "gpu", f"--checkpoint={ground.named}"),
        *("--calibration=local", f"--work-dir={own}", f"--evidence-dir={own / 'evidence'}"),
        *("-o", f"cache_dir={own / 'pytest_cache'}", *ground.options),
    ]


def script_environment(ground: Ground, port: int) -> dict[str, str]:
    """What `bare.sh` is told."""
    return {
        **ground.program.env,
        "CHECKPOINT": str(ground.checkpoint),
        "WORK": str(ground.folder / "script"),
        "DATA": str(ground.data),
        "TEMPLATE": str(TEMPLATE),
        "LMDEPLOY": shlex.join(ground.program.argv),
        "SAMPLES": str(ground.arguments.calib_samples),
        "SEQLEN": str(ground.arguments.calib_seqlen),
        "PORT": str(port),
        "REQUESTS": str(ground.asked if ground.asked.exists() else REQUESTS),
        **({"OVERLAP": "1"} if ground.overlap else {}),
    }


def run(ground: Ground, slot: Slot) -> Run:
    """One run, from the start of its process to its end.

    :raises AcceptanceError: it did not end in time, or there is nothing to serve. One that failed is a result.
    """
    own = ground.folder / slot.side
    if slot.kind == "cold":
        shutil.rmtree(own, ignore_errors=True)
    own.mkdir(parents=True, exist_ok=True)
    output = own / f"{slot.kind}-{slot.pair}.txt"
    return _suite(ground, slot, own, output) if slot.side == "suite" else _script(ground, slot, output)


def _suite(ground: Ground, slot: Slot, own: Path, output: Path) -> Run:
    checkpoints = own / "checkpoints"
    if ground.origin == "geometry" and not checkpoints.is_symlink():
        checkpoints.symlink_to(ground.checkpoint.parent)  # else each cold run would write the random weights anew
    seconds, exit_code = _timed(suite_command(ground), {}, output, ground.suites_exit_code)
    stages: dict[str, float] = dict(_report(own / "evidence").get("seconds", {}))
    if stages:
        # What the run's own log cannot know: writing the report, and the interpreter's end.
        stages["report"] = round(seconds - sum(stages.values()), 3)
    answered = _answered(own / "evidence")
    if answered:
        ground.asked.write_text("".join(f"{json.dumps(body)}\n" for body in answered), encoding="ascii")
    whole = exit_code == ground.suites_exit_code and len(answered) >= _lines(REQUESTS)
    return Run(slot, round(seconds, 3), exit_code, len(answered), stages, whole)


def _script(ground: Ground, slot: Slot, output: Path) -> Run:
    model = output.parent / f"{MODEL_NAME}{QUANTIZED_SUFFIX}"
    if slot.kind == "cached" and not model.exists():  # no cold run of its own before: both serve what the suite made
        made = next((ground.folder / "suite" / "quantized").glob(f"*/*{QUANTIZED_SUFFIX}"), None)
        if made is None:
            raise AcceptanceError(
                "the suite's warm-up left no W4A16 checkpoint to serve",
                where="python -m tools.overhead --cold 0",
                remedy="its output, above, says why",
            )
        model.symlink_to(made)
    environment = script_environment(ground, free_port("127.0.0.1"))
    seconds, exit_code = _timed(["bash", str(SCRIPT)], environment, output, 0)
    said = output.read_text(encoding="utf-8", errors="replace")
    requests = _lines(Path(environment["REQUESTS"]))
    return Run(slot, round(seconds, 3), exit_code, requests, script_stages(said), exit_code == 0)


def script_stages(said: str) -> dict[str, float]:
    """Seconds of each step of the script, from when it says that each ended."""
    ends = [(name, float(at.replace(",", "."))) for name, at in STEP.findall(said)]
    return {name: round(at - before, 3) for (_, before), (name, at) in pairwise(ends)}


def _timed(argv: Sequence[str], extra: Mapping[str, str], output: Path, expected: int) -> tuple[float, int]:
    with output.open("wb") as file:
        began = time.monotonic()
        process = subprocess.Popen(
            argv, cwd=ROOT, env={**usual(os.environ), **extra}, stdin=subprocess.DEVNULL, stdout=file, stderr=file
        )
        try:
            code = process.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise AcceptanceError(
                f"a run did not end within {TIMEOUT_S:g} s", where=output.name, remedy="read its output"
            ) from None
        finally:
            process.terminate()  # both clean up after themselves
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(60)
        seconds = time.monotonic() - began
    if code != expected:
        sys.stderr.write(output.read_text(encoding="utf-8", errors="replace")[-TAIL:])
    return seconds, code


def _newest(evidence: Path, name: str) -> Path | None:
    found = sorted(evidence.glob(f"*/{name}"), key=lambda file: file.stat().st_mtime)
    return found[-1] if found else None


def _report(evidence: Path) -> dict[str, Any]:
    file = _newest(evidence, "report.json")
    return {} if file is None else dict(json.loads(file.read_text(encoding="ascii")))


def _answered(evidence: Path) -> list[dict[str, Any]]:
    """The requests of the newest run that were answered 200."""
    file = _newest(evidence, EVENTS_FILE)
    events = [] if file is None else [entry.event for entry in read(file.parent)]
    return [event.request for event in events if isinstance(event, Exchanged) and event.status == 200]


def _lines(file: Path) -> int:
    return len(file.read_bytes().splitlines())
