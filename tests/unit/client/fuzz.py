"""Bodies that a server might send, near to an answer and far from it, and all that is done with one.

`python -m tests.unit.client.fuzz 10000` tries so many; the unit test tries a few hundred.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
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

    def __init__(self, body: Any) -> None:
        self._body = body

    def ask(self, messages: list[dict[str, Any]], **request: Any) -> Answer:
        asked = {"model": MODEL_NAME, "messages": messages, **request}
        assert_no_fault(
            envelope_fault(Exchanged("test", "/", asked, 200, self._body, 0.1, content_type="application/json"), NOW)
        )
        return Answer(self._body)


def judge(text: str) -> None:
    """Do with a body whatever the suite does; any exception here is a defect of the suite."""
    try:
        body = parse(text)
    except Unreadable:
        return
    for stream in (False, True):
        response = {"chunks": [body]} if stream else body
        asked = {"model": MODEL_NAME, "messages": [], "stream": stream}
        str(envelope_fault(Exchanged("test", "/", asked, 200, response, 0.1, content_type="application/json"), NOW))
    is_answer(body)
    said = Answer(body)
    for fault in (right_call_fault(said, SUM), no_call_fault(said), forced_fault(said)):
        str(fault)
    for client in (Says(body), Unchecked(body)):
        conversation = converse(client, "Compute (3+5)*2", SAMPLING, "tool")  # type: ignore[arg-type]
        str(conversation_fault(conversation, CHAIN))
        json.dumps(conversation.calls_json())
    streamed = join([body] if isinstance(body, dict) else objects(body))
    for fault in (
        same_calls_fault(said.tool_calls, streamed),
        same_text_fault(said.text, streamed),
        whole_characters_fault(streamed),
    ):
        str(fault)


class Unchecked(Says):
    """A client that looks at no envelope."""

    def ask(self, messages: list[dict[str, Any]], **request: Any) -> Answer:
        del messages, request
        return Answer(self._body)


def tried(examples: int) -> Any:
    """The fuzzer as a function without arguments."""
    every = [Phase.explicit, Phase.generate, Phase.shrink]
    limits = settings(
        max_examples=examples, deadline=None, database=None, phases=every, suppress_health_check=list(HealthCheck)
    )
    return limits(given(BODIES)(judge))


if __name__ == "__main__":
    tried(int(sys.argv[1]))()
    sys.stdout.write(f"{sys.argv[1]} bodies\n")
