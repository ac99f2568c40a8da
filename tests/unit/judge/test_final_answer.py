"""The last word of a tool conversation: the result is stated as the answer, however it is written."""

from __future__ import annotations

import pytest

from fixtures.judge.final_answer import LONGEST, result_fault
from tests.unit.answers import fault_id

OPERANDS = {7, 4, 28, 3}
"""Of (7+4)*3 there would be 11 too; 7*4+3 has these, and 31 for its result."""


@pytest.mark.parametrize(
    "reply",
    [
        "31", "31。", "The result is 31.", "结果是31，谢谢", "**31**", "__31__", "_31_", "`31`", "$31$", "\\(31\\)",
        "$$\\boxed{31}$$", "<b>31</b>", "３１", "𝟑𝟏", "三十一", "答案是三十一，十分简单。", "31.0", "31.00!", "=31",
        "7*4+3 = 31 🎉", "7×4＝28，28+3＝31", "1. 7*4 = 28\n2. 28 + 3 = 31", "Step 1: 28. Step 2: 31",
        "第1步 28，第2步 31",
        "The sum of the two numbers is 31.", "result:\u00a031", "31\u200b", "- 31",
        "I called mul(7, 4) and got 31 in one go.",
        "The answer—31", "一共是31个。",
    ],
)  # fmt: skip
def test_result_is_stated(reply: str) -> None:
    assert result_fault(reply, 31, OPERANDS) is None


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        ("", "no_final_answer"),
        (" \n", "no_final_answer"),
        ("310", "other_number"),
        ("131", "other_number"),
        ("31.5", "other_number"),
        ("0.31", "other_number"),
        ("31e2", "other_number"),
        ("3,131", "other_number"),
        ("31 %", "other_number"),
        ("-31", "other_number"),
        ("The result is \u221231", "other_number"),
        ("not 31 but 33", "result_denied"),
        ("结果不是31。", "result_denied"),
        ("It is 31. No, 32.", "other_number"),
        ("thirteen", "other_number"),
        ("三十二", "other_number"),
        ("nine", "result_not_stated"),
        ("7*4+3", "result_not_stated"),
        ("31/7", "result_not_stated"),
        ("7-31", "result_not_stated"),
        ("The answer.", "result_not_stated"),
        ("Error 31: the tool failed", "answer_of_failure"),
        ("无法计算 31", "answer_of_failure"),
        ('31 {"name": "add", "arguments": {}}', "call_in_answer"),
        ("31 " * LONGEST, "final_answer_long"),
        ("9" * (LONGEST - 1), "other_number"),
        ("1e" + "9" * 30, "other_number"),
    ],
)
def test_result_is_not_stated(reply: str, fault: str) -> None:
    assert fault_id(result_fault(reply, 31, OPERANDS)) == fault


def test_large_and_negative_results_are_read() -> None:
    assert result_fault("The result is 1,234,567.", 1234567, {5}) is None
    assert result_fault("12*(-4) = -48", -48, {12, -4}) is None
    assert fault_id(result_fault("12*(-4) = 48", -48, {12, -4})) == "other_number"
    assert result_fault("30-12=18", 18, {30, -12}) is None
    assert result_fault("It is 0.", 0, {0, 7}) is None
