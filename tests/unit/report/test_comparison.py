"""Two runs, claim by claim."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.evidence.__main__ import main
from fixtures.evidence.events import Entry
from fixtures.report.comparison import compare
from tests.unit.report import synthetic
from tests.unit.waiting import ROOT


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (synthetic.entries(), {}),
        (synthetic.failing("chat.does_not_loop"), {"chat.does_not_loop": "differs"}),
        (synthetic.changed(lambda event: None if getattr(event, "claim", "") == "tools.add" else event),
         {"tools.add": "one alone"}),
    ],
    ids=["itself", "a claim failed", "a claim was not decided"],
)  # fmt: skip
def test_claims_agree_but_those_that_differ(other: list[Entry], expected: dict[str, str]) -> None:
    found = {one.first.claim.id: one.agreement for one in compare(synthetic.entries(), other)}
    assert {claim: agreement for claim, agreement in found.items() if agreement != "agrees"} == expected
    assert "tools.chain" in found
    assert "tools.chain_trials" not in found, "neither run decided it"


def test_status_of_the_program_says_whether_any_claim_differs(tmp_path: Path) -> None:
    logs = {"good": synthetic.entries(), "bad": synthetic.failing("tools.chain"), "empty": []}
    for name, log in logs.items():
        synthetic.write(tmp_path / name, log)
    found = {name: main(["compare", *map(str, (tmp_path / "good", tmp_path / name))]) for name in (*logs, "nowhere")}
    assert found == {"good": 0, "bad": 1, "empty": 1, "nowhere": 2}


def test_reader_that_has_enough_is_no_error(tmp_path: Path) -> None:
    folder = str(synthetic.write(tmp_path / "run", synthetic.entries()))
    argv = [sys.executable, "-m", "fixtures.evidence", "compare", folder, folder]
    reader, writer = os.pipe()
    os.close(reader)  # as `| head` does when it has its lines
    done = subprocess.run(argv, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (-signal.SIGPIPE, b"")
