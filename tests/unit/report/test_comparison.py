"""Two runs, claim by claim."""

from dataclasses import replace
from pathlib import Path

import pytest

from fixtures.evidence.__main__ import main
from fixtures.evidence.events import Entry, TestFinished
from fixtures.report.comparison import compare
from tests.unit.report import synthetic


def failing(claim: str) -> list[Entry]:
    """The made-up run, with a claim that failed in it."""
    return synthetic.entries(
        [
            (t, replace(event, outcome="failed") if isinstance(event, TestFinished) and event.claim == claim else event)
            for t, event in synthetic.events()
        ]
    )


def agreements(first: list[Entry], second: list[Entry]) -> dict[str, str]:
    return {found.first.claim.id: found.agreement for found in compare(first, second)}


def test_a_run_agrees_with_itself() -> None:
    found = agreements(synthetic.entries(), synthetic.entries())
    assert set(found.values()) == {"agrees"}
    assert "tools.chain" in found
    assert "tools.chain_trials" not in found, "neither run decided it"


def test_a_claim_that_failed_in_one_differs_and_no_other() -> None:
    found = agreements(synthetic.entries(), failing("chat.does_not_loop"))
    assert [claim for claim, agreement in found.items() if agreement != "agrees"] == ["chat.does_not_loop"]
    assert found["chat.does_not_loop"] == "differs"


def test_what_only_one_run_decided_is_said_to_be_so() -> None:
    without = [(t, event) for t, event in synthetic.events() if getattr(event, "claim", "") != "tools.add"]
    assert agreements(synthetic.entries(), synthetic.entries(without))["tools.add"] == "one alone"


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    synthetic.write(tmp_path / "good", synthetic.entries())
    synthetic.write(tmp_path / "bad", failing("tools.chain"))
    return tmp_path / "good", tmp_path / "bad"


def test_the_program_lists_the_claims_and_its_status_says_whether_any_differs(
    runs: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = map(str, runs)
    assert main(["compare", good, good]) == 0
    assert main(["compare", good, bad]) == 1
    shown = capsys.readouterr().out
    assert "differs    tools.chain " in shown
    assert ", 1 differs, 0 one alone" in shown


def test_runs_that_decided_nothing_do_not_agree(runs: tuple[Path, Path], tmp_path: Path) -> None:
    synthetic.write(tmp_path / "empty", [])
    assert main(["compare", str(runs[0]), str(tmp_path / "empty")]) == 1
    assert main(["compare", str(runs[0]), str(tmp_path / "nowhere")]) == 2
