"""The record of what quantization cost."""

from typing import Any

import pytest

from fixtures.evidence.events import Entry, Measured, RunStarted, TryJudged
from fixtures.run.claims import of_suite
from tests.acceptance.control.record import records

CLAIMS = [claim.id for claim in of_suite("control")]


def entries(*tries: tuple[str, bool], rehearsal: bool = False) -> list[Entry]:
    """A run with these trials, each right or not."""
    settings: dict[str, Any] = {"checkpoint": "standin"}
    happened = [
        RunStarted("run", ["pytest"], settings, {}, "abc", False, rehearsal),
        *(TryJudged(claim, 1, right, "", [], "") for claim, right in tries),
        *(Measured(claim, "temperature", 0.8) for claim in CLAIMS),
    ]
    return [Entry(0.0, "now", event) for event in happened]


PLAIN = [(f"{claim}.unquantized", True) for claim in CLAIMS]
QUANTIZED = [(claim, claim != CLAIMS[0]) for claim in CLAIMS]


def test_record_pairs_the_trials_of_both_servers() -> None:
    (found,) = records(entries(*PLAIN, *QUANTIZED)).values()
    rows = found["control"]
    assert [row["claim"] for row in rows] == CLAIMS
    assert [(row["unquantized"], row["quantized"], row["cost"]) for row in rows[:2]] == [(1, 0, 1.0), (1, 1, 0.0)]
    assert rows[0]["temperature"] == 0.8


def test_run_without_the_control_has_no_record() -> None:
    assert records(entries()) == records(entries(*PLAIN, *QUANTIZED, rehearsal=True)) == {}


def test_part_of_the_trials_is_no_record() -> None:
    with pytest.raises(ValueError, match=f"claims are missing: {CLAIMS[0]}$"):
        records(entries(*PLAIN, *QUANTIZED[1:]))
