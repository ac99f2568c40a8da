"""Envelope, final answer and deployment: each with something that breaks it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from fixtures.client.answer import Answer
from fixtures.evidence.events import EnvironmentRecorded, Exchanged
from fixtures.gpu.sampler import Release
from fixtures.judge import deployment
from fixtures.judge.envelope import long_prompt_fault, prompt_growth_fault, refusal_fault, usage_fault
from fixtures.judge.final_answer import final_fault, named, naming_fault, recall_fault
from fixtures.texts import Message
from tests.unit.answers import answer, fault_id


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
        (deployment.artefact_fault([SimpleNamespace(layer=1)]), "artefact"),
        (deployment.release_fault(Release(3.0, 500, 812)), ""),
        (deployment.release_fault(Release(60.0, 900, 812)), "not_released"),
        (deployment.model_name_fault("m", "m"), ""),
        (deployment.model_name_fault("base", "m"), "other_model"),
        (deployment.key_fault([401, 401]), ""),
        (deployment.key_fault([401, 200]), "answered_without_key"),
        (deployment.key_fault([None]), "answered_without_key"),
    ],
)
def test_deployment_is_the_homeworks(found: Message | None, fault: str) -> None:
    assert fault_id(found) == fault
