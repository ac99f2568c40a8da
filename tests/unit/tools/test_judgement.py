"""The two programs behind the judgement of language: the table of pairs, and the record of what was tried."""

import json
from pathlib import Path
from typing import Any

import pytest

from fixtures.texts import Message, message
from tools.fluency import Counts, table, texts
from tools.judgement import auc, counts, false_alarms, level, outcome, roc, shuffled

PROSE = (
    "从前，森林边上住着一只狐狸，它最喜欢的水果就是西瓜。一天早上，太阳刚刚升起，狐狸在菜园里看见一个圆圆的西瓜，"
    "高兴得跳了起来。可是西瓜太重了，它推了半天也推不动，只好请老牛来帮忙。"
)


def test_pairs_that_belong_together_score_high_and_strangers_low() -> None:
    found = Counts()
    found.add("狐狸西瓜。" * 100 + "狐瓜", 5.0)
    lines = {line[0]: line.split("\t") for line in table(found)}
    assert sorted(lines) == sorted("狐狸西")
    unseen, *groups = lines["狐"]
    scores = {
        sign: int(group[: -len(group.lstrip("-0123456789"))])
        for group in groups
        for sign in group.lstrip("-0123456789")
    }
    assert scores["狸"] > 0 > scores["瓜"] > int(unseen[1:])


def test_texts_are_found_in_json_and_in_folders(tmp_path: Path) -> None:
    content = [{"title": "题", "paragraphs": ["一句", "二句"]}, {"content": [{"para": "三句"}]}]
    (tmp_path / "a.json").write_text(json.dumps(content), encoding="utf-8")
    assert list(texts(tmp_path)) == ["一句", "二句", "三句"]


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
