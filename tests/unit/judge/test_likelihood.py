"""The likelihood of replies under the source."""

import pytest

from fixtures.judge.likelihood import MOST_SURPRISING, loss_after, surprise_fault
from tests.unit.answers import fault_id


def test_loss_of_the_rest_leaves_out_the_prefix() -> None:
    """Of three tokens before, two are scored, 1.0 each; the two behind have 2.0 and 4.0."""
    assert loss_after(whole=(1.0 + 1.0 + 2.0 + 4.0) / 4, tokens=5, before=1.0, tokens_before=3) == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("served", "fault"),
    [
        ([1.0, 1.4], ""),
        ([1.0 + MOST_SURPRISING, 1.4 + MOST_SURPRISING], ""),
        ([0.2, 0.3], ""),
        ([1.01 + MOST_SURPRISING, 1.4 + MOST_SURPRISING], "surprising"),
        ([], "nothing_scored"),
    ],
)
def test_replies_may_be_a_little_less_likely_than_the_sources_own(served: list[float], fault: str) -> None:
    assert fault_id(surprise_fault([1.0, 1.4], served)) == fault


def test_source_that_says_nothing_shows_nothing() -> None:
    assert fault_id(surprise_fault([], [1.0])) == "nothing_scored"
