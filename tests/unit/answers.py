"""Chat completions as the server would give them, for tests that judge answers."""

from __future__ import annotations

import copy
import json
from typing import Any

from fixtures.client.answer import Answer
from fixtures.evidence.events import Exchanged
from fixtures.homework import MODEL_NAME
from fixtures.texts import Message

NOW = 1_800_000_000
"""When these answers are given, in seconds since 1970."""


def answer(
    text: str = "", calls: list[dict[str, Any]] | None = None, reason: str | None = None, usage: Any = "good"
) -> Answer:
    """An answer of the homework's model; without a reason it ends as it should, and `usage` counts 10 + 5 tokens."""
    counts = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15} if usage == "good" else usage
    message = {"role": "assistant", "content": text, "tool_calls": calls}
    choice = {"index": 0, "message": message, "finish_reason": reason or ("tool_calls" if calls else "stop")}
    head = {"id": "1", "object": "chat.completion", "created": NOW, "model": MODEL_NAME}
    return Answer({**head, "choices": [choice], "usage": counts})


def tool_call(name: str, a: Any, b: Any, id_: Any = "c1") -> dict[str, Any]:
    """One entry of `tool_calls`."""
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": json.dumps({"a": a, "b": b})}}


def fault_id(fault: Message | None) -> str:
    """The last part of a fault's id; empty where there is no fault."""
    return fault.id.rpartition(".")[2] if fault else ""


class Scripted:
    """A client that answers from a list, the last answer again and again, and keeps what it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []
        self._record: Any = lambda _: None

    def recording_to(self, record: Any) -> Scripted:
        other = copy.copy(self)
        other._record = record
        return other

    def ask(self, messages: list[dict[str, Any]], **request: Any) -> Answer:
        self.asked.append({"messages": messages, **request})
        found = copy.deepcopy(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])
        if found.usage:  # a longer conversation is a longer prompt
            found.usage["prompt_tokens"] += len(messages)
            found.usage["total_tokens"] += len(messages)
        self._record(Exchanged("test", "/v1/chat/completions", self.asked[-1], 200, found.body, 0.1))
        return found
