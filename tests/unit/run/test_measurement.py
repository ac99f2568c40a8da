"""How a test tells what its judgement found."""

from __future__ import annotations

import pytest

from fixtures.run.measurement import ClaimFailed, Undecided, assert_no_fault
from fixtures.texts import message


def test_fault_fails_and_a_doubt_is_left_to_a_person() -> None:
    assert_no_fault(None)
    with pytest.raises(ClaimFailed) as failed:
        assert_no_fault(message("fault.empty_reply"))
    assert not isinstance(failed.value, Undecided)
    doubt = message("undecided.short", characters=48, least=50, reply="狐狸")
    with pytest.raises(Undecided) as undecided:
        assert_no_fault(doubt)
    assert undecided.value.message is doubt
