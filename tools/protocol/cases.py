"""The requests whose answers make up the protocol. Data only; `MODEL` stands for the served model's name."""

from dataclasses import dataclass
from typing import Any, Final

from fixtures.client.tools import TOOLS
from fixtures.homework import CHAIN_PROMPT, MODEL_NAME, STORY_PROMPT, SYSTEM_PROMPT

CHAT: Final = "/v1/chat/completions"


@dataclass(frozen=True)
class Case:
    """One request: GET without a body, POST with one (a text is sent as it is)."""

    name: str
    path: str
    body: dict[str, Any] | str | None = None


def _chat(name: str, content: str = "你好", **fields: Any) -> Case:
    messages = [{"role": "user", "content": content}]
    return Case(name, CHAT, {"model": MODEL_NAME, "messages": messages, "temperature": 0, **fields})


_CALLED: Final = [
    {"role": "user", "content": "Compute 3+5"},
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": "1", "type": "function", "function": {"name": "add", "arguments": '{"a": 3, "b": 5}'}}],
    },
    {"role": "tool", "tool_call_id": "1", "name": "add", "content": "3+5=8"},
]

CASES: Final = (
    Case("health", "/health"),
    Case("models", "/v1/models"),
    _chat("chat"),
    _chat(
        "story",
        messages=[{"role": "system", "content": SYSTEM_PROMPT}, {"role": "user", "content": STORY_PROMPT}],
    ),
    _chat("cut at max_tokens", STORY_PROMPT, max_tokens=8),
    _chat("two choices", n=2, temperature=0.8),
    _chat("stop string", STORY_PROMPT, stop=["狐狸"]),
    _chat("streamed", stream=True),
    _chat("streamed with usage", stream=True, stream_options={"include_usage": True}),
    _chat("logprobs", logprobs=True, top_logprobs=2, max_tokens=4),
    _chat("tool call", CHAIN_PROMPT, tools=list(TOOLS)),
    _chat("tool call streamed", CHAIN_PROMPT, stream=True, tools=list(TOOLS)),
    _chat("tool call required", CHAIN_PROMPT, tool_choice="required", tools=list(TOOLS)),
    _chat("tool call forbidden", CHAIN_PROMPT, tool_choice="none", tools=list(TOOLS)),
    _chat(
        "tool call named",
        CHAIN_PROMPT,
        tool_choice={"type": "function", "function": {"name": "add"}},
        tools=list(TOOLS),
    ),
    _chat("tools offered and not needed", tools=list(TOOLS)),
    _chat("tool result", messages=_CALLED, tools=list(TOOLS)),
    _chat("unknown model", model="no-such-model"),
    _chat("no messages", messages=[]),
    _chat("temperature out of range", temperature=9),
    _chat("top_p out of range", top_p=-1),
    _chat("max_tokens of zero", max_tokens=0),
    _chat("two choices of none", n=0),
    _chat("over-long input", "狐狸和西瓜。" * 100_000),
    _chat(
        "required with a type that JSON Schema does not have",
        CHAIN_PROMPT,
        tool_choice="required",
        tools=[
            {
                "type": "function",
                "function": {
                    "name": "add",
                    "parameters": {"type": "object", "properties": {"a": {"type": "int"}}, "required": ["a"]},
                },
            }
        ],
    ),
    Case("no model field", CHAT, {"messages": [{"role": "user", "content": "你好"}]}),
    Case("not JSON", CHAT, "{"),
    Case("no such path", "/v1/nothing"),
)
