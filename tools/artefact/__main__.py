"""`python -m tools.artefact record NAME=SOURCE=QUANTIZED ...` measures the verification on artefacts of lmdeploy,
into docs/records/artefact.json. `page` writes docs/artefact.md from that."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from fixtures.errors import AcceptanceError
from tools.artefact.page import rendered
from tools.artefact.record import measure

ROOT: Final = Path(__file__).parents[2]
RECORD: Final = ROOT / "docs" / "records" / "artefact.json"
PAGE: Final = ROOT / "docs" / "artefact.md"


def main(words: Sequence[str]) -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(prog="python -m tools.artefact", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("record", help="measure honest artefacts, corruptions, seconds and memory")
    pair = "NAME=SOURCE=QUANTIZED"
    command.add_argument("pairs", nargs="+", metavar=pair, help="an honest artefact; the first one is also damaged")
    command.add_argument("--spoiled", action="append", default=[], metavar=pair, help="one that auto_awq itself spoilt")
    command.add_argument("--note", default="", help="what a reader must know of the machine")
    commands.add_parser("page", help="write docs/artefact.md from the record")
    given = parser.parse_args(words)
    if given.command == "record":
        pairs, spoiled = ([tuple(pair.split("=", 2)) for pair in of] for of in (given.pairs, given.spoiled))
        record = measure(pairs, spoiled, given.note)
        RECORD.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(rendered(json.loads(RECORD.read_text(encoding="utf-8"))), encoding="utf-8")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except AcceptanceError as error:
        sys.exit(str(error))
