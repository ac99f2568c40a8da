"""The bodies of 0.18.0's answers, and faults in them: a function for each fault, which changes a healthy body."""

import itertools
import json
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from tests.faults.lmdeploy.model import Say, pieces, raw

Body = dict[str, Any]
Change = Callable[[Body], None]

STARTED: Final = int(time.time())
"""When this server was started, which is when all that it says was created, as far as anyone looks."""

_numbers: Final = itertools.count(1)


def usage(prompt: int, completion: int) -> Body:
    """Token counts."""
    return {
        "prompt_tokens": prompt,
        "total_tokens": prompt + completion,
        "completion_tokens": completion,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": None,
    }


def completion(model: str, turn: Say, prompt: int) -> Body:
    """A whole answer."""
    choice = {
        "index": 0,
        "message": {
            "role": "assistant",
            "content": turn.text or None if turn.calls else turn.text,
            "reasoning_content": None,
            "tool_calls": [_call(name, json.dumps(arguments)) for name, arguments in turn.calls] or None,
        },
        "logprobs": None,
        "output_token_logprobs": None,
        "finish_reason": reason(turn),
        "output_ids": None,
        "routed_experts": None,
    }
    return {
        "id": f"chatcmpl-{next(_numbers):022}",
        "object": "chat.completion",
        "created": STARTED,
        "model": model,
        "choices": [choice],
        "usage": usage(prompt, len(pieces(raw(turn))) + 1),
        "service_tier": None,
    }


def reason(turn: Say) -> str:
    """The finish reason."""
    return "tool_calls" if turn.calls else "length" if turn.cut else "stop"


def chunks(model: str, turn: Say, prompt: int, include_usage: bool) -> Iterator[Body]:
    """A streamed answer: a name alone, arguments in pieces, the reason in a chunk of its own, usage last."""
    head = {
        "id": f"chatcmpl-{next(_numbers):022}",
        "object": "chat.completion.chunk",
        "created": STARTED,
        "model": model,
    }
    tail: Body = {"usage": None} if include_usage else {}

    def chunk(delta: Body, **choice: Any) -> Body:
        return {**head, "choices": [{"index": 0, "delta": {"role": "assistant", **delta}, **choice}], **tail}

    for piece in pieces(turn.text):
        yield chunk({"content": piece})
    for index, (name, arguments) in enumerate(turn.calls):
        call = _call(name, "")
        yield chunk({"tool_calls": [{**call, "index": index, "function": {"name": name}}]})
        for piece in pieces(json.dumps(arguments)):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield chunk({"content": ""}, finish_reason=reason(turn))
    if include_usage:
        counts = usage(prompt, len(pieces(raw(turn))) + 1)
        del counts["completion_tokens_details"]
        yield {**head, "choices": [], "usage": counts}


def models(name: str) -> Body:
    """The list of models."""
    permission = {
        "id": "modelperm-49jerQq5T3kTLTxnmcEMHg", "object": "model_permission", "created": STARTED,
        "allow_create_engine": False, "allow_sampling": True, "allow_logprobs": True, "allow_search_indices": True,
        "allow_view": True, "allow_fine_tuning": False, "organization": "*", "group": None, "is_blocking": False,
    }  # fmt: skip
    model = {
        "id": name, "object": "model", "created": STARTED, "owned_by": "lmdeploy", "root": name, "parent": None,
        "permission": [permission],
    }  # fmt: skip
    return {"object": "list", "data": [model]}


def refusal(status: int, message: str, kind: str = "invalid_request_error") -> Body:
    """An error's body."""
    return {"message": message, "type": kind, "code": status, "param": None, "object": "error"}


def _call(name: str, arguments: str) -> Body:
    id_ = f"chatcmpl-tool-{next(_numbers):022}"
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}


def _message(body: Body) -> Body:
    message: Body = body["choices"][0]["message"]
    return message


def _each_call(change: Callable[[Body], None]) -> Change:
    def changed(body: Body) -> None:
        for call in _message(body)["tool_calls"] or []:
            change(call)

    return changed


def _finish(reason_: str | None, where: str) -> Change:
    def changed(body: Body) -> None:
        if body["choices"][0]["finish_reason"] == where:
            body["choices"][0]["finish_reason"] = reason_

    return changed


def _left_in_content(body: Body) -> None:
    message = _message(body)
    for call in message["tool_calls"] or []:
        function = call["function"]
        parameters = json.loads(function["arguments"])
        text = json.dumps({"name": function["name"], "parameters": parameters})
        message["content"] = f"<|action_start|><|plugin|>\n{text}<|action_end|>"
        body["choices"][0]["finish_reason"] = "stop"
    message["tool_calls"] = None


def _where_it_calls(change: Change) -> Change:
    def changed(body: Body) -> None:
        if _message(body)["tool_calls"]:
            change(body)

    return changed


def _call_lost(body: Body) -> None:
    _message(body).update(content="", tool_calls=None)
    body["choices"][0]["finish_reason"] = "stop"


def _call_twice(body: Body) -> None:
    calls = _message(body)["tool_calls"]
    calls.append(dict(calls[0]))


def _rant(body: Body) -> None:
    _message(body)["content"] = 30 * "从前有一只狐狸和一个西瓜。"
    body["usage"] = usage(body["usage"]["prompt_tokens"], 300)


_calls_spoiled = itertools.count()


def _null_call_once(body: Body) -> None:
    if next(_calls_spoiled) == 0:
        _message(body)["tool_calls"] = [None]


def _with_more(body: Body) -> None:
    """As vLLM answers."""
    body.update(system_fingerprint=None, prompt_logprobs=None, kv_transfer_params=None)
    body["choices"][0]["stop_reason"] = None
    message = _message(body)
    message.update(refusal=None, annotations=None, audio=None, function_call=None)
    message["tool_calls"] = message["tool_calls"] or []


PROTOCOL: Final[dict[str, Change]] = {
    "usage-missing": lambda body: body.pop("usage"),
    "usage-of-zero": lambda body: body.update(usage=usage(0, 0)),
    "usage-does-not-add-up": lambda body: body["usage"].update(total_tokens=1),
    "finish-reason-stop-beside-a-call": _finish("stop", "tool_calls"),
    "finish-reason-null": _finish(None, "stop"),
    "finish-reason-missing": lambda body: body["choices"][0].pop("finish_reason"),
    "call-left-in-content": _left_in_content,
    "call-lost": _where_it_calls(_call_lost),
    "call-twice-with-one-id": _where_it_calls(_call_twice),
    "call-without-id": _each_call(lambda call: call.pop("id")),
    "special-token-beside-a-call": _where_it_calls(lambda body: _message(body).update(content="<|action_end|>")),
    "arguments-not-json": _each_call(lambda call: call["function"].update(arguments='{"a": 3, "b": ')),
    "arguments-are-a-list": _each_call(lambda call: call["function"].update(arguments="[3, 5]")),
    "arguments-are-an-object": _each_call(
        lambda call: call["function"].update(arguments=json.loads(call["function"]["arguments"]))
    ),
    "no-choices": lambda body: body.update(choices=[]),
    "content-null": lambda body: None if _message(body)["tool_calls"] else _message(body).update(content=None),
    "message-missing": lambda body: body["choices"][0].pop("message"),
    "fields-of-other-servers": _with_more,
    "answer-of-another-model": lambda body: body.update(model="gpt-4o"),
    "answer-from-the-year-2100": lambda body: body.update(created=4_102_444_800),
    "answer-without-id": lambda body: body.update(id=""),
    "answer-of-another-kind": lambda body: body.update(object="text_completion"),
    "error-beside-the-answer": lambda body: body.update(error={"message": "CUDA out of memory"}),
    "refusal-beside-the-answer": lambda body: _message(body).update(refusal="I cannot help with that."),
    "second-choice": lambda body: body["choices"].append({**body["choices"][0], "index": 1}),
    "choice-number-7": lambda body: body["choices"][0].update(index=7),
    "role-of-the-user": lambda body: _message(body).update(role="user"),
    "content-in-parts": lambda body: _message(body).update(
        content=[{"type": "text", "text": _message(body)["content"]}]
    ),
    "usage-of-booleans": lambda body: body.update(usage=usage(True, True)),
    "usage-the-same-for-all": lambda body: body.update(usage=usage(1, 1)),
    "usage-of-a-billion": lambda body: body.update(usage=usage(1, 10**9)),
    "calls-are-an-object": _where_it_calls(
        lambda body: _message(body).update(tool_calls=_message(body)["tool_calls"][0])
    ),
    "call-is-null-once": _where_it_calls(_null_call_once),
    "call-of-another-type": _each_call(lambda call: call.update(type="plugin")),
    "call-with-a-list-as-id": _each_call(lambda call: call.update(id=["x"])),
    "calls-of-all-turns-with-one-id": _each_call(lambda call: call.update(id="call_1")),
    "call-with-a-list-as-name": _each_call(lambda call: call["function"].update(name=["add"])),
    "call-without-arguments": _each_call(lambda call: call["function"].update(arguments=None)),
    "argument-given-twice": _each_call(lambda call: call["function"].update(arguments='{"a": 9, "a": 3, "b": 5}')),
    "story-beside-a-call": _where_it_calls(_rant),
}
