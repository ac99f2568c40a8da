"""Streams put together, and every fault that a client would stumble over."""

from typing import Any

import pytest

from fixtures.client.streaming import join


def chunk(content: str | None = None, calls: list[dict[str, Any]] | None = None, reason: str | None = None) -> Any:
    return {"choices": [{"delta": {"content": content, "tool_calls": calls}, "finish_reason": reason}]}


def call(index: int = 0, id_: str | None = None, name: str | None = None, arguments: str | None = None) -> Any:
    return {"index": index, "id": id_, "function": {"name": name, "arguments": arguments}}


def called(*deltas: Any) -> list[Any]:
    """A chunk for each delta, and the end."""
    return [*(chunk(calls=[delta]) for delta in deltas), chunk(reason="tool_calls")]


USAGE = {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}}
UNNUMBERED = {"id": "c1", "function": {"name": "add", "arguments": "{}"}}


def test_text_is_joined() -> None:
    found = join([chunk("狐"), chunk("狸"), chunk("", reason="stop"), USAGE])
    assert (found.text, found.pieces, found.finish_reason, found.faults) == ("狐狸", ("狐", "狸"), "stop", ())
    assert found.usage == USAGE["usage"]


def test_calls_are_joined_and_told_apart() -> None:
    deltas = (call(id_="c1", name="add"), call(1, "c2", "mul", "{}"), call(arguments='{"a"'), call(arguments=": 3}"))
    found = join([*called(*deltas), USAGE])
    assert found.calls == (
        {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 3}'}},
        {"id": "c2", "type": "function", "function": {"name": "mul", "arguments": "{}"}},
    )
    assert found.faults == ()


def test_name_in_pieces_is_put_together_and_a_missing_id_stays_missing() -> None:
    (found,) = join(called(call(name="ad"), call(name="d"))).calls
    assert found == {"id": "", "type": "function", "function": {"name": "add", "arguments": ""}}


@pytest.mark.parametrize(
    ("chunks", "words"),
    [
        ([], "the stream is empty"),
        ([chunk("狐")], "finish_reason came 0 times"),
        ([chunk("狐", reason="stop"), chunk(reason="stop")], "finish_reason came 2 times"),
        ([chunk(reason="stop"), chunk("狐")], "content follows the finish reason"),
        ([chunk(reason="stop"), USAGE, chunk()], "a chunk follows the usage"),
        (called(call(id_="c", name="ad"), call(name="d")), "call 0: the function's name came in 2 deltas"),
        (called(call(id_="c", arguments="{}")), "in 0 deltas"),
        (called(call(id_="c", arguments="{"), call(name="add"), call(arguments="}")), "arguments came before the name"),
        (called(call(name="add")), "0 ids"),
        (called(call(id_="c", name="add"), call(id_="d")), "2 ids"),
        (called(call(1, "c", "add")), "calls are numbered 1"),
        (called(UNNUMBERED), "calls are numbered -1"),
    ],
)
def test_bad_stream_has_the_fault(chunks: list[Any], words: str) -> None:
    assert any(words in str(fault) for fault in join(chunks).faults)


@pytest.mark.parametrize(
    ("counted", "found"),
    [
        ([False], "none"),
        ([True], "last_chunk"),
        ([True, True], "every_chunk"),
        ([False, False, True], "last_chunk"),
        ([False, True, False], "some_chunks"),
    ],
)
def test_count_of_tokens_is_found_in_its_chunks(counted: list[bool], found: str) -> None:
    usage = USAGE["usage"]
    assert join([{**chunk("狐"), "usage": usage if given else None} for given in counted]).usage_in == found
