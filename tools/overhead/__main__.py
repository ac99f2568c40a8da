"""`python -m tools.overhead`: what the suite costs over a bare script, cold and cached, in alternating pairs.

Exit code 0 where both medians are within the bar, 1 where one is not or a run failed.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from fixtures.errors import AcceptanceError, LmdeployError
from fixtures.evidence.events import EnvironmentRecorded
from fixtures.gpu.probe import open_probe
from fixtures.lmdeploy.capabilities import capabilities, installed_version
from fixtures.lmdeploy.commands import ROOT, lmdeploy_program
from fixtures.model.calibration import choose
from fixtures.model.checkpoint import identify, provide
from fixtures.model.quantization import arguments_for
from fixtures.run.settings import Settings, resolve
from fixtures.session.environment import record as environment_of
from tools.overhead.pairs import BAR, KINDS, Run, Slot, schedule
from tools.overhead.record import file_name, record
from tools.overhead.running import Ground, run
from tools.records import RECORDS, write
from tools.standin.calibration import OWN_TEXTS


def main(words: Sequence[str]) -> int:
    """The program; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.overhead", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--checkpoint", default=Settings.checkpoint)
    parser.add_argument("--cold", type=int, default=2, help="pairs with the quantization (default: 2)")
    parser.add_argument("--cached", type=int, default=3, help="pairs with a cached quantization (default: 3)")
    parser.add_argument(
        "--no-warm-up",
        action="store_true",
        help="no uncounted run before: this machine has just served lmdeploy, and --cold is not 0",
    )
    parser.add_argument(
        "--overlap",
        action="store_true",
        help="the script is told the story while it asks for the calls, as the suite is",
    )
    parser.add_argument("--rehearse", action="store_true", help="without a GPU; says nothing about one")
    parser.add_argument("--out", type=Path, help="the record (default: docs/records/overhead-<gpu>.json)")
    parser.add_argument("suite", nargs="*", help="after --: further options of the suite")
    given = parser.parse_args(words)
    if given.no_warm_up and not given.cold:
        parser.error("--no-warm-up needs a cold pair: with --cold 0 the warm-up makes what both sides serve")
    environment = environment_now(given.rehearse)
    out: Path = given.out or ROOT / RECORDS / file_name(environment.gpu)
    command, name = shlex.join(["python", "-m", "tools.overhead", *words]), Path(given.checkpoint).name
    runs: list[Run] = []
    made: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="overhead-") as folder:
        for one in measure(given, Path(folder)):
            runs.append(one)
            # After each run: what is cut off after an hour has not been for nothing.
            shown = command.replace(given.checkpoint, name)
            made = record(runs, name, environment, shown, datetime.now().astimezone())
            write(out, made)
    found = [made.get(f"ratio_{kind}") for kind in KINDS]
    sys.stdout.write(f"cold {found[0]}, cached {found[1]}, at most {BAR}; {out}\n")
    failed = not all(one.whole for one in runs) or any(ratio is not None and ratio > BAR for ratio in found)
    return int(failed)


def measure(given: argparse.Namespace, folder: Path) -> Iterator[Run]:
    """Every run of the schedule, told as it ends.

    :raises LmdeployError: the script does not speak the installed version's words.
    """
    settings = resolve(
        {"checkpoint": given.checkpoint, "rehearse": "true" if given.rehearse else None}.get, _nothing, {}, ROOT
    )
    table = capabilities(installed_version())
    if not table.trust_remote_code:
        raise LmdeployError(
            f"the bare script speaks the words of lmdeploy 0.13.0 and later, not of {installed_version()}",
            where="tools/overhead/bare.sh",
            remedy="measure with a later version",
        )
    checkpoint = identify(*provide(settings), folder / "fingerprints")
    data = folder / "data"
    data.mkdir()
    choose("local", table.calib_dataset, OWN_TEXTS).write(data)
    ground = Ground(
        folder=folder,
        checkpoint=checkpoint.folder,
        origin=checkpoint.origin,
        named=given.checkpoint,
        data=data,
        arguments=arguments_for(checkpoint, settings),
        program=lmdeploy_program(given.rehearse),
        overlap=given.overlap,
        options=(*(["--rehearse"] if given.rehearse else []), *given.suite),
    )
    # By the suite: then the script's first run asks what that one did.
    warm_up = [] if given.no_warm_up else [Slot("cold", 0, "suite")]
    for slot in (*warm_up, *schedule(given.cold, given.cached)):
        made = run(ground, slot)
        sys.stdout.write(f"{slot.kind} {slot.pair} {slot.side}: {made.seconds:.2f} s, exit code {made.exit_code}\n")
        sys.stdout.flush()
        if slot.pair:
            yield made


def environment_now(rehearse: bool) -> EnvironmentRecorded:
    """Versions, and the GPU with its driver; a rehearsal has none."""
    if rehearse:
        return environment_of(None)
    with open_probe(os.environ, command=None, pattern=r"(?P<used>\d+)", total_gib=None) as probe:
        return environment_of(probe)


def _nothing(_: str) -> None:
    """No ini file."""


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except AcceptanceError as error:
        sys.exit(str(error))
