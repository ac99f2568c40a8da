"""The record of what the judgement was tried on."""

from typing import Any

import pytest

from fixtures.texts import Message, message
from tools.judgement import auc, counts, false_alarms, level, outcome, roc, shuffled

PROSE = (
    "从前，森林边上住着一只狐狸，它最喜欢的水果就是西瓜。一天早上，太阳刚刚升起，狐狸在菜园里看见一个圆圆的西瓜，"
    "高兴得跳了起来。可是西瓜太重了，它推了半天也推不动，只好请老牛来帮忙。"
)


@pytest.mark.parametrize(
    ("faults", "word"),
    [
        ([None, None], "accept"),
        ([None, message("undecided.short")], "undecided"),
        ([message("fault.salad"), message("undecided.short")], "reject"),
    ],
)
def test_outcome_of_several_criteria(faults: list[Message | None], word: str) -> None:
    assert outcome(faults) == word


def test_scenarios_for_a_person_to_decide_are_not_counted() -> None:
    pairs = [("accept", "accept"), ("reject", "accept"), ("accept", "undecided"), ("decide", "reject")]
    rows = [{"name": "x", "expected": expected, "judged": judged} for expected, judged in pairs]
    assert counts(rows) == {"decided": 3, "right": 1, "undecided": 1, "wrong": 1}


def test_area_under_the_curve() -> None:
    assert (auc([2, 3], [0, 1]), auc([0, 1], [2, 3]), auc([1], [1])) == (1.0, 0.0, 0.5)


def test_salad_is_refused_before_prose_is() -> None:
    points = roc([PROSE], shuffled([PROSE]))
    assert false_alarms([PROSE]) == {"special_tokens": 0, "repetition": 0, "fluency": 0}
    assert any(point["salad_refused"] > point["sound_refused"] for point in points)


def test_level_counts_stories_and_calls() -> None:
    call = {"function": {"name": "add", "arguments": '{"a": 3, "b": 5}'}, "id": "c", "type": "function"}
    rows: list[dict[str, Any]] = [
        {"kind": "fox", "text": PROSE},
        {"kind": "fox", "text": shuffled([PROSE])[0]},
        {
            "kind": "call-add",
            "prompt": "Compute 3+5",
            "finish": "tool_calls",
            "tokens": 9,
            "message": {"tool_calls": [call]},
        },
        {
            "kind": "call-mul",
            "prompt": "Compute 3*5",
            "finish": "tool_calls",
            "tokens": 9,
            "message": {"tool_calls": [call]},
        },
        {"kind": "call-chain", "prompt": "Compute (3+5)*2", "finish": "stop", "tokens": 9, "message": {}},
    ]
    found = level(rows, [1.0])
    assert {name: found[name] for name in ("stories", "accept", "reject", "calls", "calls_right")} == {
        "stories": 2, "accept": 1, "reject": 1, "calls": 2, "calls_right": 1,
    }  # fmt: skip
