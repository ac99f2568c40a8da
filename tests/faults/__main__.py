"""`python -m tests.faults`: every fault and every healthy run, then docs/records/faults.json and docs/faults.md."""

import sys
from datetime import datetime, timezone

import pytest

from tests.faults.record import Recorder, write


def main() -> int:
    """Run the catalogue; arguments are pytest's. A part of it, with `-k`, leaves the files as they were.

    :returns: pytest's exit code.
    """
    recorder = Recorder()
    began = datetime.now(timezone.utc)
    code = pytest.main(["tests/faults", "-m", "faults or nightly", *sys.argv[1:]], plugins=[recorder])
    if recorder.missing():
        sys.stdout.write(f"{recorder.missing()} faults and healthy runs have no result: the record stays as it was\n")
    else:
        write(recorder.record(began))
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
