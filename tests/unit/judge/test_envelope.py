"""Envelope, final answer and deployment: each with something that breaks it."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from fixtures.client.answer import Answer
from fixtures.evidence.events import EnvironmentRecorded, Exchanged
from fixtures.gpu.sampler import Release
from fixtures.homework import MODEL_NAME
from fixtures.judge import deployment
from fixtures.judge.envelope import (
    envelope_fault,
    growth_fault,
    long_prompt_fault,
    prompt_growth_fault,
    refusal_fault,
    usage_fault,
)
from fixtures.judge.final_answer import final_fault, named, naming_fault, recall_fault
from fixtures.texts import Message
from tests.unit.answers import NOW, answer, fault_id, tool_call

CALL = tool_call("add", 3, 5)


def exchanged(change: Any = None, **fields: Any) -> Exchanged:
    """A right answer to a question, with something changed in it."""
    body = json.loads(json.dumps(answer("The result is 16.").body))
    body.update(fields)
    if change:
        change(body["choices"][0])
    asked = {"model": MODEL_NAME, "messages": [{"role": "user", "content": "Compute 8*2"}]}
    return Exchanged("test", "/v1/chat/completions", asked, 200, body, 0.1, content_type="application/json")


def called(**change: Any) -> Any:
    """Change the choice into one with a call, and that call."""
    return lambda choice: choice["message"].update(tool_calls=[{**CALL, **change}])


def function(**change: Any) -> Any:
    return called(function={"name": "add", "arguments": "{}", **change})


def counts(prompt: int, completion: int) -> dict[str, int]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (exchanged(), ""),
        (exchanged(system_fingerprint=None, prompt_logprobs=None, error=None), ""),
        (exchanged(lambda choice: choice["message"].update(refusal=None, annotations=[], audio=None)), ""),
        (exchanged(lambda choice: choice.update(stop_reason=None, logprobs=None)), ""),
        (exchanged(lambda choice: choice["message"].pop("tool_calls")), ""),
        (exchanged(lambda choice: choice["message"].update(content=None)), ""),
        (replace(exchanged(), content_type="application/json; charset=utf-8"), ""),
        (replace(exchanged(), content_type="text/html"), "content_type"),
        (replace(exchanged(), content_type=""), "content_type"),
        (replace(exchanged(), status=202), "status"),
        (exchanged(error={"message": "out of memory"}), "error"),
        (exchanged(object="text_completion"), "object"),
        (exchanged(id=""), "id"),
        (exchanged(id=7), "id"),
        (exchanged(created=NOW - 86_000), ""),
        (exchanged(created=4_102_444_800), "created"),
        (exchanged(created=True), "created"),
        (exchanged(created=None), "created"),
        (exchanged(model="gpt-4o"), "model"),
        (exchanged(choices=[{}, {}]), "choices"),
        (exchanged(choices={"0": {}}), "choices"),
        (exchanged(lambda choice: choice.update(index=7)), "index"),
        (exchanged(lambda choice: choice.update(index=False)), "index"),
        (exchanged(lambda choice: choice["message"].update(role="user")), "role"),
        (exchanged(lambda choice: choice["message"].update(content=[{"type": "text"}])), "content"),
        (exchanged(lambda choice: choice["message"].update(refusal="I cannot")), "refusal"),
        (exchanged(lambda choice: choice.update(finish_reason=None)), "finish_reason"),
        (exchanged(lambda choice: choice.update(finish_reason=["stop"])), "finish_reason"),
        (exchanged(called()), ""),
        (exchanged(called(index=0)), ""),
        (exchanged(called(type="plugin")), "call"),
        (exchanged(called(function="add(3, 5)")), "call"),
        (exchanged(called(id=None)), "call_without_id"),
        (exchanged(called(id="  ")), "call_without_id"),
        (exchanged(called(id=["x"])), "call_without_id"),
        (exchanged(function(name=["add"])), "call_name"),
        (exchanged(function(arguments=None)), "call_arguments"),
        (exchanged(function(arguments={"a": 3})), "call_arguments"),
        (exchanged(lambda choice: choice["message"].update(tool_calls=CALL)), "calls"),
        (exchanged(lambda choice: choice["message"].update(tool_calls=[None])), "call"),
        (exchanged(lambda choice: choice["message"].update(tool_calls=["add(3,5)"])), "call"),
        (
            exchanged(lambda choice: choice["message"].update(tool_calls=2 * [tool_call("add", 3, 5)])),
            "call_id_repeated",
        ),
        (exchanged(usage=None), "no_usage"),
        (exchanged(usage=counts(10, 1)), "completion_tokens"),
        (exchanged(usage=counts(10, 10**9)), "completion_tokens"),
        (exchanged(usage=counts(10**6, 5)), "prompt_tokens"),
    ],
)
def test_envelope_has_the_fault(given: Exchanged, fault: str) -> None:
    assert fault_id(envelope_fault(given, NOW)) == fault


def test_count_of_a_long_prompt_must_follow_it() -> None:
    asked = {"model": MODEL_NAME, "messages": [{"role": "user", "content": "狐狸" * 1000}]}
    assert fault_id(envelope_fault(replace(exchanged(), request=asked), NOW)) == "prompt_tokens"
    taken = exchanged(usage=counts(1500, 5))
    assert envelope_fault(replace(taken, request=asked), NOW) is None


def test_reply_that_is_cut_may_have_written_what_is_not_shown() -> None:
    cut = exchanged(lambda choice: choice.update(finish_reason="length"), usage=counts(10, 512))
    assert envelope_fault(replace(cut, request={**cut.request, "max_tokens": 512}), NOW) is None


def streamed(chunk: Any = None, choice: Any = None, usage: Any = None) -> Exchanged:
    head = {"id": "1", "object": "chat.completion.chunk", "created": NOW, "model": MODEL_NAME}
    first = {"index": 0, "delta": {"role": "assistant", "content": "16"}, "finish_reason": None, **(choice or {})}
    chunks = [{**head, "choices": [first], **(chunk or {})}, {**head, "choices": [], "usage": usage or counts(10, 1)}]
    response = {"choices": [{"message": {"content": "16"}, "finish_reason": "stop"}], "chunks": chunks}
    asked = {**exchanged().request, "stream": True}
    return replace(exchanged(), request=asked, response=response, content_type="text/event-stream")


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (streamed(), ""),
        (replace(streamed(), content_type="application/json"), "content_type"),
        (streamed({"object": "chat.completion"}), "object"),
        (streamed({"model": "gpt-4o"}), "model"),
        (streamed({"error": "out of memory"}), "error"),
        (streamed({"choices": 5}), "choices"),
        (streamed(usage=counts(10, 10**9)), "completion_tokens"),
        (streamed(usage={"total_tokens": True}), "usage_counts_nothing"),
        (streamed(choice={"index": 1}), "index"),
        (streamed(choice={"delta": {"role": "user"}}), "role"),
        (streamed(choice={"finish_reason": "whim"}), "finish_reason"),
    ],
)
def test_envelope_of_a_stream_has_the_fault(given: Exchanged, fault: str) -> None:
    assert fault_id(envelope_fault(given, NOW)) == fault


def test_prompt_must_grow_with_the_conversation() -> None:
    assert growth_fault(counted(10), counted(11)) is None
    assert fault_id(growth_fault(counted(10), counted(10))) == "prompt_did_not_grow"


def counted(prompt: Any = 10, completion: Any = 5, total: Any = 15, reason: str = "stop") -> Answer:
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}
    return answer("16", usage=usage, reason=reason)


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (counted(), ""),
        (answer("16", usage=None), "no_usage"),
        (answer("16", usage=[]), "no_usage"),
        (counted(prompt=0, total=5), "usage_counts_nothing"),
        (counted(completion="5"), "usage_counts_nothing"),
        (counted(True, True, 2), "usage_counts_nothing"),
        (counted(total=16), "usage_sum"),
    ],
)
def test_token_counts_must_be_possible(given: Answer, fault: str) -> None:
    assert fault_id(usage_fault(given)) == fault


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (counted(895, total=900), ""),
        (counted(895, total=900, reason="length"), ""),
        (counted(895, total=900, reason="tool_calls"), "finish_reason"),
        (counted(700, total=705), "prompt_not_whole"),
        (counted(1000, total=1005), "prompt_not_whole"),
        (answer("16", usage=None), "no_usage"),
    ],
)
def test_long_prompt_must_be_counted_whole(given: Answer, fault: str) -> None:
    assert fault_id(long_prompt_fault(given, wanted=900, context=1000)) == fault


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
    assert prompt_growth_fault(counted(20), counted(160)) is None
    for offered in (counted(20), answer("x", usage=None)):
        fault = prompt_growth_fault(counted(20), offered)
        assert "chat_template.jinja" in str(fault)


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (answer("16"), ""),
        (answer('<|action_start|><|plugin|>{"name"'), "call_in_text"),
        (answer("16", reason="length"), "finish_reason"),
        (answer("16<|im_end|>"), "special_tokens"),
        (answer("16", usage={}), "no_usage"),
    ],
)
def test_last_answer_is_checked_as_a_whole(given: Answer, fault: str) -> None:
    assert fault_id(final_fault(given)) == fault


def test_told_name_must_be_recalled() -> None:
    assert recall_fault(answer("你叫小明。"), "小明") is None
    assert fault_id(recall_fault(answer("你叫小红。"), "小明")) == "not_recalled"
    assert fault_id(recall_fault(answer("你叫小明。", reason="length"), "小明")) == "finish_reason"


@pytest.mark.parametrize(
    ("text", "reply", "there"),
    [
        ("16", "It is 16.", True),
        ("16", "It is 160.", False),
        ("16", "116", False),
        ("16", "w16", False),
        ("16", "-16", False),
        ("-16", "It is -16.", True),
        ("tool", "the Tool mul", True),
        ("tool", "stools and toolboxes", False),
        ("工具", "需要工具来算", True),
    ],
)
def test_number_or_latin_word_must_stand_by_itself(text: str, reply: str, there: bool) -> None:
    assert named(text, reply) is there


def test_number_with_thousands_commas_counts() -> None:
    assert named("5000", "It is 5,000.")


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        ("I need the Tool mul: 50.", ""),
        ("工具 50", ""),
        ("tool 150", "not_named"),
        ("50 stools and toolboxes", "off_topic"),
    ],
)
def test_reply_names_all_of_some_and_one_of_others(reply: str, fault: str) -> None:
    assert fault_id(naming_fault(reply, ["50"], about=["tool", "工具"])) == fault


SERVED_BY_PATH = "/root/models/internlm2_5-1_8b-chat-w4a16-4bit/"
ENVIRONMENT = EnvironmentRecorded(dict.fromkeys(deployment.NEEDED, "1"), "3.12", "Linux", "H100", 81559, "580", "13.0")
UNNAMED = EnvironmentRecorded(ENVIRONMENT.versions, "3.12", "Linux", "", 0, "", "")
BARE = EnvironmentRecorded({}, "3.12", "Linux", "H100", 81559, "580", "13.0")


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        (deployment.environment_fault(ENVIRONMENT, on_gpu=True), ""),
        (deployment.environment_fault(UNNAMED, on_gpu=True), "gpu_not_named"),
        (deployment.environment_fault(UNNAMED, on_gpu=False), ""),
        (deployment.environment_fault(BARE, on_gpu=True), "not_installed"),
        (deployment.size_fault(3603, 1530), ""),
        (deployment.size_fault(1530, 1530), "not_smaller"),
        (deployment.quantization_fault({**deployment.QUANTIZED_AS, "version": "gemm"}), ""),
        (deployment.quantization_fault({**deployment.QUANTIZED_AS, "bits": 8}), "quantized_otherwise"),
        (deployment.quantization_fault({}), "quantized_otherwise"),
        (deployment.artefact_fault([]), ""),
        (deployment.artefact_fault([SimpleNamespace(told="layer 1")]), "artefact"),
        (deployment.release_fault(Release(3.0, 500, 812)), ""),
        (deployment.release_fault(Release(60.0, 900, 812)), "not_released"),
        (deployment.model_name_fault(["m"], "m"), ""),
        (deployment.model_name_fault(["m", "m-lora"], "m"), ""),
        (deployment.model_name_fault(["m", "other"], "m"), "other_model"),
        (deployment.model_name_fault(["base"], "m"), "other_model"),
        (deployment.external_name_fault([SERVED_BY_PATH], None, None), ""),
        (deployment.external_name_fault([SERVED_BY_PATH], None, "/data/internlm2_5-1_8b-chat"), ""),
        (deployment.external_name_fault([SERVED_BY_PATH], None, "/data/qwen2.5-7b"), ""),
        (deployment.external_name_fault(["qwen2.5-7b"], None, "/data/internlm2_5-1_8b-chat/"), "other_model"),
        (deployment.external_name_fault(["qwen2.5-7b", "qwen2.5-7b-lora"], None, None), ""),
        (deployment.external_name_fault(["qwen2.5-7b", "llama"], None, None), "several_models"),
        (deployment.external_name_fault(["qwen2.5-7b", "llama"], "llama", None), ""),
        (deployment.external_name_fault(["qwen2.5-7b"], "llama", None), "not_listed"),
        (deployment.external_name_fault(["\x1b[31mRED"], None, None), "unprintable_name"),
        (deployment.external_name_fault([" "], None, None), "unprintable_name"),
        (deployment.key_fault([401, 401]), ""),
        (deployment.key_fault([401, 200]), "answered_without_key"),
        (deployment.key_fault([None]), "answered_without_key"),
    ],
)
def test_deployment_is_the_homeworks(found: Message | None, fault: str) -> None:
    assert fault_id(found) == fault
