"""`python -m tests.faults`: every fault and every healthy run, then docs/records/faults.json and docs/faults.md."""

from __future__ import annotations

import json
import sys
from datetime import datetime, timezone

import pytest

from tests.faults.record import RECORD, Recorder, write


def main() -> int:
    """Run the catalogue, or with `-k` a part of it; arguments are pytest's. The files are written in any case.

    :returns: pytest's exit code.
    """
    recorder = Recorder()
    began = datetime.now(timezone.utc)
    code = pytest.main(["tests/faults", "-m", "faults or nightly", *sys.argv[1:]], plugins=[recorder])
    before = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    write(recorder.record(began, before))
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
