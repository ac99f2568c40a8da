"""Bodies that a server might send, near to an answer and far from it: none makes an error but the suite's own."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fixtures.ask.conversation import converse
from fixtures.client.answer import Answer, is_answer, objects
from fixtures.client.body import Unreadable, parse
from fixtures.client.streaming import join
from fixtures.evidence.events import Exchanged
from fixtures.homework import CHAIN_RESULT, MODEL_NAME, SAMPLING
from fixtures.judge.envelope import envelope_fault
from fixtures.judge.stream import same_calls_fault, same_text_fault, whole_characters_fault
from fixtures.judge.tool_calls import Expected, conversation_fault, forced_fault, no_call_fault, right_call_fault
from fixtures.run.measurement import assert_no_fault
from fixtures.texts import Message
from tests.unit.answers import NOW, answer, tool_call

SUM = ("add", 3, 5)
CHAIN = Expected((SUM, ("mul", 8, 2)), final=CHAIN_RESULT)

TEXTS = st.text(st.characters(exclude_categories=()), max_size=30) | st.sampled_from(
    ["", "0", "stop", "function", "add", "16", '{"a": 3, "b": 5}', '{"a": 1e999}', "[" * 500, "9" * 500, "\x1b[2J"]
)
SCALARS = st.none() | st.booleans() | st.integers(-(10**39), 10**39) | st.floats(allow_nan=True) | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=8
)
RIGHT = (
    answer("The result is 16.").body,
    answer("", calls=[tool_call(*SUM)]).body,
    {"choices": [{"index": 0, "delta": {"content": "16", "tool_calls": [tool_call(*SUM)]}}], "usage": {}},
)


@st.composite
def changed(draw: st.DrawFn) -> Any:
    """A right answer with something else in up to three places."""
    body = json.loads(json.dumps(draw(st.sampled_from(RIGHT))))
    for _ in range(draw(st.integers(1, 3))):
        inside: Any = body
        while True:
            keys = list(inside) if isinstance(inside, dict) else list(range(len(inside)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if not isinstance(inside[key], (dict, list)) or draw(st.integers(0, 2)) == 0:
                inside[key] = draw(VALUES)
                break
            inside = inside[key]
    return body


BODIES = changed().map(json.dumps) | VALUES.map(json.dumps) | TEXTS


class Says:
    """A client to which a server says the same again and again."""

    def __init__(self, body: Any, checked: bool) -> None:
        self._body = body
        self._checked = checked

    def ask(self, messages: list[dict[str, Any]], **request: Any) -> Answer:
        if self._checked:
            assert_no_fault(fault_of(self._body, {"model": MODEL_NAME, "messages": messages, **request}))
        return Answer(self._body)


def fault_of(body: Any, asked: dict[str, Any]) -> Message | None:
    return envelope_fault(Exchanged("test", "/", asked, 200, body, 0.1, content_type="application/json"), NOW)


@settings(max_examples=300, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(BODIES)
def test_no_body_is_an_error_but_the_suites_own(text: str) -> None:
    """All that the suite does with a body; it may be tried with many more examples."""
    try:
        body = parse(text)
    except Unreadable:
        return
    str(fault_of(body, {"model": MODEL_NAME, "messages": []}))
    str(fault_of({"chunks": [body]}, {"model": MODEL_NAME, "messages": [], "stream": True}))
    is_answer(body)
    said = Answer(body)
    for fault in (right_call_fault(said, SUM), no_call_fault(said), forced_fault(said)):
        str(fault)
    for checked in (True, False):
        conversation = converse(Says(body, checked), "Compute (3+5)*2", SAMPLING, "tool")  # type: ignore[arg-type]
        str(conversation_fault(conversation, CHAIN))
        json.dumps(conversation.calls_json())
    streamed = join([body] if isinstance(body, dict) else objects(body))
    for fault in (
        same_calls_fault(said.tool_calls, streamed),
        same_text_fault(said.text, streamed),
        whole_characters_fault(streamed),
    ):
        str(fault)
