"""`python -m tools.overhead`: seconds of the suite and of a bare script that does the same, in alternating pairs.

First with the quantization ("cold"), then with it cached. Exit status 1 where a run failed, a median ratio is over its
bar or the suite's own seconds are over theirs. Random weights (`--checkpoint geometry`) are of use, too: a suite that
refuses them has done all its work.
"""

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from fixtures.evidence import EVENTS_FILE, read
from fixtures.evidence.events import Exchanged
from fixtures.homework import MODEL_NAME, QUANTIZED_SUFFIX
from fixtures.lmdeploy.capabilities import capabilities, installed_version
from fixtures.lmdeploy.commands import lmdeploy_program
from fixtures.model.calibration import choose
from fixtures.model.checkpoint import identify, provide
from fixtures.model.quantization import arguments_for
from fixtures.process.port import free_port
from fixtures.report.stages import stages
from fixtures.run.options import options_of
from fixtures.run.settings import Settings, resolve
from fixtures.standin.tokenizer_files import TEMPLATE
from tools.records import RECORDS, ROOT, gpu_slug, head_now, write

SCRIPT: Final = Path(__file__).with_name("bare.sh")
CHECKPOINT: Final = next(option.default for option in options_of(Settings) if option.name == "checkpoint")

BAR: Final = 1.03
"""Of the suite's seconds over the script's: it may cost 3 % more."""

OWN_BAR: Final = 1.2
"""Seconds of its own that any run of the suite may take."""

OTHERS: Final = frozenset({"quantize", "load", "tests", "stop"})
"""Stages in which the suite waits for lmdeploy; the rest of its process is its own. `ready` counts with that, though
lmdeploy answers some time after its port is open: the suite is to lose none by asking seldom."""

FEWEST: Final = 8
"""Requests of a whole run: one for the story, two for the sum and for the product, three for the chain."""

SIDES: Final = ("suite", "script")
KINDS: Final = ("cold", "cached")

TIMEOUT_S: Final = 3600.0
"""For one run; the quantization of the 1.8B takes two minutes, a start 20 to 90 s."""


@dataclass(frozen=True)
class Run:
    """A run: seconds on the wall clock from the start of its process to its end.

    :param requests: chat completions that were answered.
    :param whole: it did all that it was to do.
    :param own: the suite's own seconds by stage; None of the script. `report` lasts until the process has ended.
    """

    kind: str
    pair: int
    side: str
    seconds: float
    exit_code: int
    requests: int
    whole: bool
    own: Mapping[str, float] | None = None

    @property
    def own_seconds(self) -> float:
        """All of its own, 0 of the script."""
        return round(sum((self.own or {}).values()), 3)


@dataclass(frozen=True)
class Ground:
    """What both sides share.

    :param folder: that holds a folder for each side.
    :param suite: the suite's command.
    :param expected: the suite's exit code.
    :param script: environment variables of the bare script.
    """

    folder: Path
    suite: tuple[str, ...]
    expected: int
    script: Mapping[str, str]

    @property
    def asked(self) -> Path:
        """File of the requests that the suite's last run had answered: the script's next run asks the same.

        A sampled model may need another try at a call, and random weights need all of them.
        """
        return self.folder / "requests.jsonl"


def schedule(cold: int, cached: int) -> list[tuple[str, int, str]]:
    """Kind, pair and side of every run. The side that is first changes, so that a machine that warms up or is throttled
    favours neither."""
    return [
        (kind, pair, side)
        for kind, pairs in zip(KINDS, (cold, cached), strict=True)
        for pair in range(1, pairs + 1)
        for side in (SIDES if pair % 2 == 0 else SIDES[::-1])
    ]


def figures(runs: Sequence[Run]) -> dict[str, Any]:
    """The runs, the suite's own seconds at most, and the ratios of suite over script for the pairs whose runs were both
    whole, with their medians."""
    found: dict[str, Any] = {"bar": BAR, "own_bar": OWN_BAR, "runs": [asdict(run) for run in runs]}
    for kind in KINDS:
        seconds = {(run.pair, run.side): run.seconds for run in runs if run.kind == kind and run.whole}
        pairs = sorted(pair for pair, side in seconds if side == "suite" and (pair, "script") in seconds)
        ratios = [round(seconds[pair, "suite"] / seconds[pair, "script"], 4) for pair in pairs]
        found |= {f"ratios_{kind}": ratios, f"ratio_{kind}": round(median(ratios), 4) if ratios else None}
        own = [run.own_seconds for run in runs if run.kind == kind and run.whole and run.own is not None]
        found[f"own_{kind}"] = max(own, default=None)
    return found


def run(ground: Ground, kind: str, pair: int, side: str) -> Run:
    """One run, from the start of its process to its end; what it prints is kept beside what it makes."""
    own = ground.folder / side
    own.mkdir(parents=True, exist_ok=True)
    for old in own.iterdir() if kind == "cold" else ():
        if old.name != "checkpoints":  # random weights are written once
            shutil.rmtree(old, ignore_errors=True)
    output = own / f"{kind}-{pair}.txt"
    if side == "script":
        model = own / f"{MODEL_NAME}{QUANTIZED_SUFFIX}"
        made = next((ground.folder / "suite" / "quantized").glob(f"*/*{QUANTIZED_SUFFIX}"), None)
        if kind == "cached" and not model.exists() and made is not None:
            model.symlink_to(made)  # without a cold run of its own both serve what the suite made
        told = {**ground.script, "PORT": str(free_port("127.0.0.1")), "REQUESTS": str(ground.asked)}
        seconds, code = _timed(["bash", str(SCRIPT)], told, output)
        return Run(kind, pair, side, seconds, code, len(ground.asked.read_bytes().splitlines()), code == 0)
    seconds, code = _timed(ground.suite, {}, output)
    logs = sorted((own / "evidence").glob(f"*/{EVENTS_FILE}"), key=lambda file: file.stat().st_mtime)
    entries = [entry for log in logs[-1:] for entry in read(log.parent)]
    events = (entry.event for entry in entries)
    asked = [event.request for event in events if isinstance(event, Exchanged) and event.status == 200]
    ground.asked.write_text("".join(f"{json.dumps(body)}\n" for body in asked), encoding="ascii")
    whole = code == ground.expected and len(asked) >= FEWEST
    spent = {stage.name: stage.seconds for stage in stages(entries)}
    mine = {name: took for name, took in spent.items() if name not in OTHERS}
    mine["report"] = round(seconds - sum(spent.values()), 3)
    return Run(kind, pair, side, seconds, code, len(asked), whole, mine)


def _timed(argv: Sequence[str], extra: Mapping[str, str], output: Path) -> tuple[float, int]:
    # Bytecode is kept. Images for containers may switch that off: every run would compile the suite anew, and lmdeploy,
    # which was compiled when it was installed, would cost the script nothing.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | dict(extra)
    with output.open("wb") as file:
        began = time.monotonic()
        process = subprocess.Popen(argv, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        try:
            code = process.wait(TIMEOUT_S)
        finally:
            if process.poll() is None:
                process.terminate()  # both clean up after themselves
                process.wait(60)
        return round(time.monotonic() - began, 3), code


def prepared(given: argparse.Namespace, folder: Path) -> Ground:
    """The commands of both sides, with the checkpoint and the calibration text that they share."""
    table = capabilities(installed_version())
    if not table.trust_remote_code:
        raise SystemExit(f"bare.sh speaks the words of lmdeploy 0.13.0 and later, not of {installed_version()}")
    own, data = folder / "suite", folder / "data"
    words = {"checkpoint": given.checkpoint, "work_dir": str(own), "rehearse": "true" if given.rehearse else None}
    settings = resolve(words.get, lambda _: None, {}, ROOT)
    checkpoint, program = identify(*provide(settings), folder / "fingerprints"), lmdeploy_program(given.rehearse)
    arguments = arguments_for(checkpoint, settings)
    data.mkdir()
    choose("local", table.calib_dataset).write(data)
    suite = (
        *(sys.executable, "-m", "pytest", "tests", "-m", "gpu", f"--checkpoint={given.checkpoint}"),
        *("--calibration=local", f"--work-dir={own}", f"--evidence-dir={own / 'evidence'}"),
        *("-o", f"cache_dir={own / 'pytest_cache'}", *(["--rehearse"] if given.rehearse else []), *given.suite),
    )
    script = {
        **program.env,
        "CHECKPOINT": str(checkpoint.folder),
        "WORK": str(folder / "script"),
        "DATA": str(data),
        "TEMPLATE": str(TEMPLATE),
        "LMDEPLOY": shlex.join(program.argv),
        "SAMPLES": str(arguments.calib_samples),
        "SEQLEN": str(arguments.calib_seqlen),
        **({"OVERLAP": "1"} if given.overlap else {}),
    }
    return Ground(folder, suite, int(checkpoint.origin == "geometry"), script)


def measure(ground: Ground, cold: int, cached: int) -> Iterator[Run]:
    """Every run of the schedule, told as it ends, behind one by the suite that does not count."""
    for kind, pair, side in (("cold", 0, "suite"), *schedule(cold, cached)):
        made = run(ground, kind, pair, side)
        own = "" if made.own is None else f", of which {made.own_seconds:.2f} s are the suite's own: {made.own}"
        print(f"{kind} {pair} {side}: {made.seconds:.2f} s{own}, exit code {made.exit_code}", flush=True)
        if not made.whole:
            print((ground.folder / side / f"{kind}-{pair}.txt").read_text(encoding="utf-8", errors="replace")[-3000:])
        if pair:
            yield made


def main(words: Sequence[str]) -> int:
    """The program; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.overhead", description="the suite against a bare script")
    parser.add_argument("--checkpoint", default=CHECKPOINT, help=f"folder, standin or geometry (default: {CHECKPOINT})")
    parser.add_argument("--cold", type=int, default=2, help="pairs with the quantization (default: 2)")
    parser.add_argument("--cached", type=int, default=3, help="pairs with a cached quantization (default: 3)")
    parser.add_argument("--overlap", action="store_true", help="the script too asks for the calls during the story")
    parser.add_argument("--rehearse", action="store_true", help="without a GPU; says nothing about one")
    parser.add_argument("--out", type=Path, help="the record (default: docs/records/overhead-<gpu>.json)")
    parser.add_argument("suite", nargs="*", help="after --: further options of the suite")
    given = parser.parse_args(words)
    name = Path(given.checkpoint).name
    command = shlex.join(["python", "-m", "tools.overhead", *words]).replace(given.checkpoint, name)
    made: dict[str, Any] = {**head_now(command), "checkpoint": name}
    out: Path = given.out or RECORDS / f"overhead-{gpu_slug(made['gpu'])}.json"
    runs: list[Run] = []
    with tempfile.TemporaryDirectory(prefix="overhead-") as folder:
        for one in measure(prepared(given, Path(folder)), given.cold, given.cached):
            runs.append(one)
            made |= figures(runs)
            write(out, made)  # after each run: what is cut off after an hour has not been for nothing
    bars = {"ratio": BAR, "own": OWN_BAR}
    over = [
        f"{name}_{kind}: {value} > {bar}"
        for name, bar in bars.items()
        for kind in KINDS
        if (value := made.get(f"{name}_{kind}")) is not None and value > bar
    ]
    print(*over, out, sep="\n")
    return int(bool(over) or not all(one.whole for one in runs))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
