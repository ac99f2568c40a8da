"""Streamed answers against unstreamed ones."""

from dataclasses import replace
from typing import Any

import pytest

from fixtures.client.streaming import Streamed
from fixtures.judge.stream import same_calls_fault, same_text_fault, whole_characters_fault
from fixtures.texts import message
from tests.unit.answers import fault_id, tool_call

USAGE = {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}
TEXT = Streamed("狐狸", ("狐", "狸"), (), "stop", USAGE, ())
ADD, MUL = tool_call("add", 3, 5), tool_call("mul", 3, 5, "c2")
CALL = replace(TEXT, calls=({**ADD, "id": "streamed"},), finish_reason="tool_calls")
TWO = replace(CALL, calls=(ADD, MUL))
BAD = (message("stream.empty"),)
COMPACT = {"id": "c", "function": {"name": "add", "arguments": '{"a":3,"b":5}'}}


@pytest.mark.parametrize(
    ("streamed", "usage_in", "fault"),
    [
        (TEXT, "last_chunk", ""),
        (replace(TEXT, faults=BAD), "last_chunk", "stream"),
        (replace(TEXT, text="", pieces=()), "last_chunk", "empty_reply"),
        (replace(TEXT, pieces=("狐狸",)), "last_chunk", "one_piece"),
        (replace(TEXT, text="狐狐", pieces=("狐", "狐")), "last_chunk", "differs"),
        (replace(TEXT, usage=None, usage_in="none"), "last_chunk", "no_usage"),
        (replace(TEXT, usage=None, usage_in="none"), "none", ""),
        (replace(TEXT, usage_in="every_chunk"), "every_chunk", ""),
        (replace(TEXT, usage_in="every_chunk"), "last_chunk", "usage_elsewhere"),
        (TEXT, "every_chunk", "usage_elsewhere"),
    ],
)
def test_streamed_text_is_the_unstreamed_one(streamed: Streamed, usage_in: str, fault: str) -> None:
    assert fault_id(same_text_fault("狐狸", streamed, usage_in)) == fault


@pytest.mark.parametrize(
    ("unstreamed", "streamed", "calls", "fault"),
    [
        ([ADD], CALL, 1, ""),
        ([ADD], replace(CALL, faults=BAD), 1, "stream"),
        ([], CALL, 1, "unstreamed_calls"),
        ([COMPACT], CALL, 1, "streamed_calls"),
        ([ADD], replace(CALL, finish_reason="stop"), 1, "finish_reason"),
        ([ADD, MUL], TWO, 2, ""),
        ([ADD], TWO, 2, "unstreamed_calls"),
        ([ADD, MUL], CALL, 2, "streamed_calls"),
        ([ADD, MUL], replace(TWO, calls=(ADD, {**MUL, "id": ADD["id"]})), 2, "streamed_id_repeated"),
    ],
)
def test_streamed_calls_are_the_unstreamed_ones(
    unstreamed: list[dict[str, Any]], streamed: Streamed, calls: int, fault: str
) -> None:
    assert fault_id(same_calls_fault(unstreamed, streamed, calls)) == fault


@pytest.mark.parametrize(
    ("pieces", "fault"), [(("狐", "狸"), ""), (("狐\ufffd", "\ufffd狸"), "broken_pieces"), (("fox",), "no_chinese")]
)
def test_characters_are_streamed_whole(pieces: tuple[str, ...], fault: str) -> None:
    assert fault_id(whole_characters_fault(replace(TEXT, text="".join(pieces), pieces=pieces))) == fault
