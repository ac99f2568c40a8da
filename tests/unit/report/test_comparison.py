"""Two runs, claim by claim."""

from pathlib import Path

import pytest

from fixtures.evidence.__main__ import main
from fixtures.evidence.events import Entry
from fixtures.report.comparison import compare
from tests.unit.report import synthetic

WITHOUT = synthetic.changed(lambda event: None if getattr(event, "claim", "") == "tools.add" else event)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (synthetic.entries(), {}),
        (synthetic.failing("chat.does_not_loop"), {"chat.does_not_loop": "differs"}),
        (WITHOUT, {"tools.add": "one alone"}),
    ],
    ids=["itself", "a claim failed", "a claim was not decided"],
)
def test_claims_agree_but_those_that_differ(other: list[Entry], expected: dict[str, str]) -> None:
    found = {one.first.claim.id: one.agreement for one in compare(synthetic.entries(), other)}
    assert {claim: agreement for claim, agreement in found.items() if agreement != "agrees"} == expected
    assert "tools.chain" in found
    assert "tools.chain_trials" not in found, "neither run decided it"


def test_status_of_the_program_says_whether_any_claim_differs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad, empty = (str(tmp_path / name) for name in ("good", "bad", "empty"))
    synthetic.write(Path(good), synthetic.entries())
    synthetic.write(Path(bad), synthetic.failing("tools.chain"))
    synthetic.write(Path(empty), [])
    assert main(["compare", good, good]) == 0
    assert main(["compare", good, bad]) == 1
    shown = capsys.readouterr().out
    assert "differs    tools.chain " in shown
    assert ", 1 differs, 0 one alone" in shown
    assert main(["compare", good, empty]) == 1, "a run that decided nothing does not agree"
    assert main(["compare", good, str(tmp_path / "nowhere")]) == 2
