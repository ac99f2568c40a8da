"""Streams put together, and every fault that a client would stumble over."""

from typing import Any

import pytest

from fixtures.client.streaming import Streamed, broken_pieces, join, same_calls_fault, same_text_fault


def chunk(content: str | None = None, calls: list[dict[str, Any]] | None = None, reason: str | None = None) -> Any:
    return {"choices": [{"delta": {"content": content, "tool_calls": calls}, "finish_reason": reason}]}


def call(index: int = 0, id_: str | None = None, name: str | None = None, arguments: str | None = None) -> Any:
    return {"index": index, "id": id_, "function": {"name": name, "arguments": arguments}}


USAGE = {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}}
TEXT = [chunk("狐"), chunk("狸"), chunk("", reason="stop"), USAGE]
CALL = [
    chunk(calls=[call(id_="c1", name="add")]),
    chunk(calls=[call(arguments='{"a": 3')]),
    chunk(calls=[call(arguments=', "b": 5}')]),
    chunk(reason="tool_calls"),
    USAGE,
]
UNSTREAMED = [{"id": "other", "type": "function", "function": {"name": "add", "arguments": '{"a": 3, "b": 5}'}}]


def test_text_is_joined() -> None:
    found = join(TEXT)
    assert (found.text, found.pieces, found.finish_reason, found.faults) == ("狐狸", ("狐", "狸"), "stop", ())
    assert found.usage == USAGE["usage"]
    assert same_text_fault("狐狸", found) == ""


def test_a_call_is_joined() -> None:
    found = join(CALL)
    assert found.calls == ({"id": "c1", "type": "function", "function": UNSTREAMED[0]["function"]},)
    assert found.faults == ()
    assert same_calls_fault(UNSTREAMED, found) == ""


@pytest.mark.parametrize(
    ("chunks", "words"),
    [
        ([], "the stream is empty"),
        ([chunk("狐")], "finish_reason came 0 times"),
        ([chunk("狐", reason="stop"), chunk(reason="stop")], "finish_reason came 2 times"),
        ([chunk(reason="stop"), chunk("狐")], "content follows the finish reason"),
        ([chunk(reason="stop"), USAGE, chunk()], "a chunk follows the usage"),
        ([chunk(calls=[call(id_="c", name="ad")]), chunk(calls=[call(name="d")], reason="tool_calls")], "in 2 deltas"),
        ([chunk(calls=[call(id_="c", arguments="{}")], reason="tool_calls")], "in 0 deltas"),
        (
            [chunk(calls=[call(id_="c", arguments="{")]), chunk(calls=[call(name="add")], reason="tool_calls")],
            "arguments came before the name",
        ),
        ([chunk(calls=[call(name="add")], reason="tool_calls")], "0 ids"),
        ([chunk(calls=[call(id_="c", name="add"), call(id_="d")], reason="tool_calls")], "2 ids"),
        ([chunk(calls=[call(index=1, id_="c", name="add")], reason="tool_calls")], "calls are numbered [1]"),
    ],
)
def test_a_bad_stream_is_told_by_its_fault(chunks: list[Any], words: str) -> None:
    found = join(chunks)
    assert any(words in fault for fault in found.faults), found.faults
    assert words in same_calls_fault(UNSTREAMED, found)
    assert words in same_text_fault("狐", found)


def test_two_calls_are_told_apart() -> None:
    first, second = call(0, "c1", "add", "{}"), call(1, "c2", "mul", "{}")
    assert [found["id"] for found in join([chunk(calls=[first, second], reason="tool_calls")]).calls] == ["c1", "c2"]


def test_two_calls_of_one_turn_need_two_calls_and_two_ids() -> None:
    first, second, same = call(0, "c1", "add", "{}"), call(1, "c2", "mul", "{}"), call(1, "c1", "mul", "{}")
    both = [{"function": {"name": name, "arguments": "{}"}} for name in ("add", "mul")]
    good, shared = (join([chunk(calls=[first, other], reason="tool_calls")]) for other in (second, same))
    assert same_calls_fault(both, good, calls=2) == ""
    assert "share an id: c1" in same_calls_fault(both, shared, calls=2)
    assert "has 1 calls to compare with, not 2" in same_calls_fault(both[:1], good, calls=2)
    assert "streamed calls are" in same_calls_fault(both, join([chunk(calls=[first], reason="tool_calls")]), calls=2)


def streamed(**fields: Any) -> Streamed:
    good = {"text": "狐狸", "pieces": ("狐", "狸"), "calls": (), "finish_reason": "stop", "usage": USAGE["usage"]}
    return Streamed(**{**good, "faults": (), **fields})


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (streamed(text="", pieces=()), "no text"),
        (streamed(pieces=("狐狸",)), "no stream"),
        (streamed(text="狐狐", pieces=("狐", "狐")), "unstreamed '狐狸'"),
        (streamed(usage=None), "without usage"),
    ],
)
def test_another_text_is_a_fault(found: Streamed, words: str) -> None:
    assert words in same_text_fault("狐狸", found)


def test_usage_in_every_chunk_is_no_fault_where_it_is_promised() -> None:
    each = [{**chunk, "usage": USAGE["usage"]} for chunk in TEXT[:3]]
    found = join(each)
    assert (found.faults, found.usage_in) == ((), "every_chunk")
    assert same_text_fault("狐狸", found, "every_chunk") == ""
    assert same_text_fault("狐狸", found) == "usage came in every chunk, promised is last chunk"
    assert "promised is every_chunk" in same_text_fault("狐狸", join(TEXT), "every_chunk")


def test_no_usage_is_no_fault_where_none_is_promised() -> None:
    found = join(TEXT[:3])
    assert found.usage_in == "none"
    assert same_text_fault("狐狸", found, "none") == ""
    assert "without usage" in same_text_fault("狐狸", found)


def test_other_calls_are_a_fault() -> None:
    assert "no call to compare" in same_calls_fault([], join(CALL))
    other = [{"function": {"name": "add", "arguments": '{"a":3,"b":5}'}}]
    assert "streamed calls are" in same_calls_fault(other, join(CALL))
    assert "finish_reason is 'stop'" in same_calls_fault(UNSTREAMED, join([*CALL[:3], chunk(reason="stop")]))


def test_a_character_cut_in_two_is_found() -> None:
    assert broken_pieces(join([chunk("狐\ufffd"), chunk("\ufffd狸"), chunk("好", reason="stop")])) == [
        "狐\ufffd",
        "\ufffd狸",
    ]
    assert broken_pieces(join(TEXT)) == []


def test_a_call_without_a_number_is_no_first_call() -> None:
    unnumbered = {"id": "c1", "function": {"name": "add", "arguments": "{}"}}
    assert "calls are numbered [-1]" in join([chunk(calls=[unnumbered], reason="tool_calls")]).faults


def test_arguments_that_came_too_early_are_not_forgotten_when_the_name_comes() -> None:
    deltas = [call(id_="c1", arguments="{"), call(name="add"), call(arguments="}")]
    faults = join([*(chunk(calls=[delta]) for delta in deltas), chunk(reason="tool_calls")]).faults
    assert faults == ("call 0: arguments came before the name",)


def test_a_name_in_pieces_is_put_together_and_a_missing_id_stays_missing() -> None:
    (found,) = join([chunk(calls=[call(name="ad")]), chunk(calls=[call(name="d")], reason="tool_calls")]).calls
    assert found == {"id": "", "type": "function", "function": {"name": "add", "arguments": ""}}


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
def test_where_the_count_of_tokens_came(counted: list[bool], found: str) -> None:
    usage = USAGE["usage"]
    assert join([{**chunk("狐"), "usage": usage if given else None} for given in counted]).usage_in == found
