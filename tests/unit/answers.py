"""Chat completions as the server would give them, for tests that judge answers."""

from __future__ import annotations

import json
from typing import Any

from fixtures.client.answer import Answer
from fixtures.evidence.events import Exchanged
from fixtures.texts import Message


def answer(
    text: str = "", calls: list[dict[str, Any]] | None = None, reason: str | None = None, usage: Any = "good"
) -> Answer:
    """An answer; without a reason it ends as it should, and `usage` counts 10 + 5 tokens."""
    counts = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15} if usage == "good" else usage
    message = {"role": "assistant", "content": text, "tool_calls": calls}
    choice = {"message": message, "finish_reason": reason or ("tool_calls" if calls else "stop")}
    return Answer({"choices": [choice], "usage": counts})


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
        other = Scripted()
        other.answers, other.asked, other._record = self.answers, self.asked, record
        return other

    def ask(self, messages: list[dict[str, Any]], **request: Any) -> Answer:
        self.asked.append({"messages": messages, **request})
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        self._record(Exchanged("test", "/v1/chat/completions", self.asked[-1], 200, found.body, 0.1))
        return found
