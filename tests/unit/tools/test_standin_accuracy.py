"""The accuracy measurement: what counts as a right answer, and which rows it replaces."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.answers import Scripted, answer, tool_call
from tools.standin.accuracy import SAMPLINGS, fault, updated
from tools.standin.problemset import problem_set

(PROBLEM,) = problem_set("one-tool", 1)
(CALL,) = PROBLEM.calls
RIGHT = answer(calls=[tool_call(CALL.name, CALL.a, CALL.b)])


def test_right_answer_has_no_fault() -> None:
    client: Any = Scripted(RIGHT, answer(f"The result is {PROBLEM.result}."))
    assert fault(client, SAMPLINGS[0], PROBLEM) == ""
    assert [tool["function"]["name"] for tool in client.asked[0]["tools"]] == [CALL.name]


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ([answer("I wonder.")], "called no tool"),
        ([answer(calls=[tool_call(CALL.name, 1, 2)]), answer("3")], "expected"),
        ([RIGHT, answer("The result is 1.")], "only"),
        ([RIGHT], "the id of a call"),
    ],
)
def test_wrong_answer_is_told_by_its_fault(answers: list[Any], words: str) -> None:
    client: Any = Scripted(*answers)
    assert words in fault(client, SAMPLINGS[0], PROBLEM)


def test_new_rows_take_the_place_of_those_of_their_name() -> None:
    old = [{"served": "bf16", "task": task, "temperature": 0.0, "k": 1} for task in ("chain", "words")]
    new = {"served": "bf16", "task": "chain", "temperature": 0.0, "k": 2}
    assert updated(old, [new]) == [new, old[1]]
