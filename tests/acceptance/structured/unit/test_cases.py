"""What a reply is to its schema, each outcome for its own reason; and every case of the table is one."""

import json
from typing import Any

import pytest

from tests.acceptance.structured.cases import CASES, Case, Way, judge

BY_ID = {case.id: case for case in CASES}
RANGE, BAD, MULTIPLE = BY_ID["integer_range"], BY_ID["unknown_type"], BY_ID["multiple_of"]


def reply(text: str, reason: str = "stop") -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": reason}]}


def call(arguments: str, reason: str = "tool_calls") -> dict[str, Any]:
    calls = [{"function": {"name": "reply", "arguments": arguments}}]
    return {"choices": [{"message": {"content": None, "tool_calls": calls}, "finish_reason": reason}]}


@pytest.mark.parametrize(
    ("case", "way", "status", "body", "outcome", "why"),
    [
        (RANGE, "response_format", 200, reply('{"answer": 8}'), "valid", ""),
        (RANGE, "required", 200, call('{"answer": 8}'), "valid", ""),
        (RANGE, "response_format", 200, reply('{"answer": 80}'), "violates", "80 is greater than the maximum of 20"),
        (RANGE, "response_format", 200, reply('{"answer": 8' + " \n" * 40, "length"), "runaway", ""),
        (RANGE, "required", 200, call('{"answer": 8' + " " * 40, "length"), "runaway", ""),
        (RANGE, "response_format", 200, reply('{"answer": 8   ', "length"), "cut", ""),
        (RANGE, "response_format", 200, reply("It is eight."), "not_json", "Expecting value: line 1 column 1 (char 0)"),
        (RANGE, "required", 200, reply("It is eight."), "no_call", ""),
        (RANGE, "response_format", 500, "oops", "error", "HTTP 500"),
        (RANGE, "response_format", None, "", "error", "HTTP None"),
        (MULTIPLE, "response_format", 400, {"message": "multipleOf is not supported"}, "refused", ""),
        (MULTIPLE, "response_format", 200, reply('{"n": 13}'), "violates", "13 is not a multiple of 7"),
        (BAD, "response_format", 400, {"message": 'Unsupported type "int"'}, "refused", ""),
        (BAD, "response_format", 400, {"message": "no"}, "refused", "the refusal does not name int"),
        (BAD, "response_format", 200, reply('{"answer": 8}'), "violates", "decoded under a schema with int"),
    ],
)
def test_reply_is_judged(case: Case, way: Way, status: int | None, body: Any, outcome: str, why: str) -> None:
    found = judge(case, way, status, body)
    assert (found.outcome, found.why) == (outcome, why)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_case_is_a_schema_that_its_requests_carry(case: Case) -> None:
    from jsonschema import Draft202012Validator

    schema = json.loads(case.schema)
    if not case.bad:
        Draft202012Validator.check_schema(schema)
    assert case.request("response_format")["response_format"]["json_schema"]["schema"] == schema
    assert case.request("required")["tools"][0]["function"]["parameters"] == schema
