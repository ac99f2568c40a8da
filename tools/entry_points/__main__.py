"""`python -m tools.entry_points evidence/<run>` writes `docs/records/doors-<lmdeploy version>-<GPU, or rehearsal>.json`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fixtures.errors import AcceptanceError
from fixtures.evidence import read
from fixtures.lmdeploy.commands import ROOT
from fixtures.report.summary import summarize
from tools.entry_points.record import name_of, of_run
from tools.records import RECORDS, write


def main() -> None:
    """Write the record of the run named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.entry_points", description="the record of a run of -m doors")
    parser.add_argument("folder", type=Path, help="evidence of a finished run: a folder with events.jsonl")
    record = of_run(summarize(read(parser.parse_args().folder)))
    file = RECORDS / name_of(record)
    write(ROOT / file, record)
    print(file)


if __name__ == "__main__":
    try:
        main()
    except AcceptanceError as error:
        sys.exit(str(error))
