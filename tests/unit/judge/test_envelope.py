"""Envelope and deployment: each with something that breaks it."""

import copy
import functools
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from fixtures.evidence.events import EnvironmentRecorded, Exchanged
from fixtures.gpu.sampler import Release
from fixtures.homework import MODEL_NAME
from fixtures.judge import deployment
from fixtures.judge.envelope import envelope_fault, growth_fault, prompt_growth_fault, refusal_fault
from fixtures.texts import Message
from tests.unit.answers import NOW, answer, fault_id, tool_call
from tests.unit.judge.cases import cases


def counts(prompt: int, completion: int) -> dict[str, int]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


ASKED = {"model": MODEL_NAME, "messages": [{"role": "user", "content": "Compute 8*2"}]}
ANSWERED = Exchanged(
    "test", "/v1/chat/completions", ASKED, 200, answer("The result is 16.").body, 0.1, content_type="application/json"
)
CALLED = replace(ANSWERED, response=answer("The result is 16.", [tool_call("add", 3, 5)]).body)
CHUNK = {"id": "1", "object": "chat.completion.chunk", "created": NOW, "model": MODEL_NAME}
FIRST = {"index": 0, "delta": {"role": "assistant", "content": "16"}, "finish_reason": None}
STREAMED = replace(
    ANSWERED,
    request={**ASKED, "stream": True},
    response={
        "choices": [{"message": {"content": "16"}, "finish_reason": "stop"}],
        "chunks": [{**CHUNK, "choices": [FIRST]}, {**CHUNK, "choices": [], "usage": counts(10, 1)}],
    },
    content_type="text/event-stream",
)
PLACES: dict[str, tuple[Exchanged, tuple[str | int, ...]]] = {
    "exchange": (ANSWERED, ()),
    "body": (ANSWERED, ("response",)),
    "choice": (ANSWERED, ("response", "choices", 0)),
    "message": (ANSWERED, ("response", "choices", 0, "message")),
    "call": (CALLED, ("response", "choices", 0, "message", "tool_calls", 0)),
    "function": (CALLED, ("response", "choices", 0, "message", "tool_calls", 0, "function")),
    "stream": (STREAMED, ()),
    "chunk": (STREAMED, ("response", "chunks", 0)),
    "last chunk": (STREAMED, ("response", "chunks", 1)),
    "choice of a chunk": (STREAMED, ("response", "chunks", 0, "choices", 0)),
}
"""Exchanges in which nothing is wrong, and the places in them at which `envelope.json` changes something."""


def changed(place: str, change: dict[str, Any]) -> Exchanged:
    exchanged, path = PLACES[place]
    fields = copy.deepcopy(vars(exchanged))
    functools.reduce(lambda inside, key: inside[key], path, fields).update(change)
    return Exchanged(**fields)


@pytest.mark.parametrize(("place", "fault", "change"), cases("envelope.json"))
def test_envelope_has_the_fault(place: str, fault: str, change: dict[str, Any]) -> None:
    found = envelope_fault(changed(place, change), NOW)
    assert (found.id if found else "sound") == fault


def test_count_of_a_long_prompt_must_follow_it() -> None:
    asked = {"model": MODEL_NAME, "messages": [{"role": "user", "content": "狐狸" * 1000}]}
    assert fault_id(envelope_fault(replace(ANSWERED, request=asked), NOW)) == "prompt_tokens"
    taken = changed("body", {"usage": counts(1500, 5)})
    assert envelope_fault(replace(taken, request=asked), NOW) is None


def test_reply_that_is_cut_may_have_written_what_is_not_shown() -> None:
    cut = answer("The result is 16.", reason="length", usage=counts(10, 512)).body
    assert envelope_fault(replace(ANSWERED, response=cut, request={**ASKED, "max_tokens": 512}), NOW) is None


def test_prompt_must_grow_with_the_conversation() -> None:
    before, after = (answer("16", usage=counts(prompt, 5)) for prompt in (10, 11))
    assert growth_fault(before, after) is None
    assert fault_id(growth_fault(before, before)) == "prompt_did_not_grow"


@pytest.mark.parametrize(
    ("status", "response", "fault"),
    [
        (400, "too long", ""),
        (200, "too long", "not_refused"),
        (500, "too long", "not_refused"),
        (None, "", "no_answer"),
        (400, "", "silent_refusal"),
    ],
)
def test_refusal_is_a_4xx_that_says_something(status: int | None, response: str, fault: str) -> None:
    exchanged = Exchanged("test", "/v1/chat/completions", {}, status, response, 0.1, "cut")
    assert fault_id(refusal_fault(exchanged)) == fault


def test_tools_must_make_the_prompt_longer() -> None:
    plain = answer("16", usage=counts(20, 5))
    assert prompt_growth_fault(plain, answer("16", usage=counts(160, 5))) is None
    for offered in (plain, answer("x", usage=None)):
        assert "chat_template.jinja" in str(prompt_growth_fault(plain, offered))


ENVIRONMENT = EnvironmentRecorded(dict.fromkeys(deployment.NEEDED, "1"), "3.12", "Linux", "H100", 81559, "580", "13.0")
UNNAMED = replace(ENVIRONMENT, gpu="", driver="")
BARE = replace(ENVIRONMENT, versions={})


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        (deployment.environment_fault(ENVIRONMENT, on_gpu=True), ""),
        (deployment.environment_fault(UNNAMED, on_gpu=True), "gpu_not_named"),
        (deployment.environment_fault(UNNAMED, on_gpu=False), ""),
        (deployment.environment_fault(BARE, on_gpu=True), "not_installed"),
        (deployment.artefact_fault([]), ""),
        (deployment.artefact_fault([SimpleNamespace(told="layer 1")]), "artefact"),
        (deployment.release_fault(Release(3.0, 500, 812)), ""),
        (deployment.release_fault(Release(60.0, 900, 812)), "not_released"),
    ],
)
def test_machine_and_artefact_are_the_homeworks(found: Message | None, fault: str) -> None:
    assert fault_id(found) == fault


@pytest.mark.parametrize(("judgement", "fault", "arguments"), cases("deployment.json"))
def test_deployment_is_the_homeworks(judgement: str, fault: str, arguments: list[Any]) -> None:
    found = getattr(deployment, judgement)(*arguments)
    assert (found.id if found else "sound") == fault


@pytest.mark.parametrize(
    ("reply_tokens", "prompt_tokens", "fault"),
    [
        (8, 20, ""),
        (8 + 16, 20, ""),  # blanks that were stripped
        (5, 20, "tokens_of_reply"),
        (50, 20, "tokens_of_reply"),
        (8, 7, "tokens_of_prompt"),
    ],
)
def test_usage_is_held_against_the_checkpoints_own_tokenizer(reply_tokens: int, prompt_tokens: int, fault: str) -> None:
    body = {**answer("The result is 16.").body, "usage": counts(prompt_tokens, reply_tokens)}
    own = {"The result is 16.": 8, "Compute 8*2": 10}
    assert fault_id(envelope_fault(replace(ANSWERED, response=body), NOW, own.get)) == fault


def test_tokens_of_a_reply_that_a_parser_may_have_cut_are_not_counted() -> None:
    asked = {**ASKED, "tools": [{"type": "function"}]}
    body = {**answer("The result is 16.").body, "usage": counts(20, 50)}
    found = envelope_fault(replace(ANSWERED, request=asked, response=body), NOW, lambda text: len(text) // 2)
    assert found is None
