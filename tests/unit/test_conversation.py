"""Judging a tool conversation: exact names, values, types, order and number of calls."""

import pytest

from fixtures.conversation import Executed, Expected, ToolConversation, first_right, judge
from fixtures.tools import Call

CHAIN = Expected(calls=(("add", 3, 5), ("mul", 8, 2)), final=16)


def conversation(*calls: tuple[str, int, int], reply: str = "The result is 16.", fault: str = "") -> ToolConversation:
    done = tuple(Executed(Call("id", name, {"a": a, "b": b}), 0) for name, a, b in calls)
    return ToolConversation(done, reply, fault)


def test_the_right_chain_has_no_fault() -> None:
    assert judge(conversation(("add", 3, 5), ("mul", 8, 2)), CHAIN) == ""


def test_operands_may_be_swapped() -> None:
    assert judge(conversation(("add", 5, 3), ("mul", 2, 8)), CHAIN) == ""


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (conversation(), "called no tool"),
        (conversation(("mul", 8, 2), ("add", 3, 5)), "called mul(8, 2) then add(3, 5), expected add(3, 5)"),
        (conversation(("add", 3, 5)), "expected add(3, 5) then mul(8, 2)"),
        (conversation(("add", 3, 5), ("mul", 8, 2), ("mul", 8, 2)), "then mul(8, 2) then mul(8, 2)"),
        (conversation(("mul", 3, 5), ("mul", 8, 2)), "called mul(3, 5)"),
        (conversation(("add", 3, 6), ("mul", 8, 2)), "add(3, 6)"),
        (conversation(("add", 3, 5), ("mul", 8, 2), reply="It is 160."), "does not name 16"),
        (conversation(("add", 3, 5), ("mul", 8, 2), reply=""), "does not name 16"),
        (conversation(("add", 3, 5), ("mul", 8, 2), fault="cut"), "cut"),
    ],
)
def test_a_wrong_conversation_is_told_by_its_fault(wrong: ToolConversation, words: str) -> None:
    assert words in judge(wrong, CHAIN)


def test_a_number_with_thousands_commas_counts() -> None:
    expected = Expected(calls=(("mul", 100, 50),), final=5000)
    assert judge(conversation(("mul", 100, 50), reply="5,000"), expected) == ""


def test_trying_stops_at_the_first_right_one() -> None:
    seen: list[tuple[int, str]] = []
    verdicts = iter(["wrong", "", "never"])
    reasons = first_right(conversation, lambda _: next(verdicts), 5, lambda n, _, reason: seen.append((n, reason)))
    assert reasons == ["wrong", ""]
    assert seen == [(1, "wrong"), (2, "")]


def test_trying_gives_up_after_the_tries() -> None:
    assert first_right(conversation, lambda _: "wrong", 3, lambda *_: None) == ["wrong"] * 3
