"""The schemas of `cases.toml`, the two ways to ask for them, and what a reply came to. Pure."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from fixtures.client.answer import Answer
from fixtures.texts import read_toml

MAX_TOKENS: Final = 160
"""More than twice what any of the replies takes in the stand-in's small tokens."""

RUN: Final = re.compile(r"\s{24,}")
"""White space that no layout of so small a reply has."""

Way = Literal["response_format", "required"]
WAYS: Final[tuple[Way, ...]] = ("response_format", "required")

Outcome = Literal["valid", "refused", "runaway", "cut", "violates", "not_json", "no_call", "error"]


@dataclass(frozen=True)
class Case:
    """A schema and a question that fits it.

    :param keyword: what no grammar may be able to say: refusing it is as good as satisfying it.
    :param bad: no grammar can be made of the schema, and the refusal must name this.
    """

    id: str
    zh: str
    en: str
    ask: str
    schema: str
    keyword: str = ""
    bad: str = ""

    @property
    def good(self) -> tuple[Outcome, ...]:
        """Outcomes with which the claim holds."""
        if self.bad:
            return ("refused",)
        return ("valid", "refused") if self.keyword else ("valid",)

    def request(self, way: Way) -> dict[str, Any]:
        """Return the fields of a chat completion that ask for it."""
        schema = json.loads(self.schema)
        if way == "response_format":
            return {"response_format": {"type": "json_schema", "json_schema": {"name": "reply", "schema": schema}}}
        function = {"name": "reply", "description": "Give the reply.", "parameters": schema}
        return {"tools": [{"type": "function", "function": function}], "tool_choice": "required"}


CASES: Final = tuple(Case(**one) for one in read_toml(Path(__file__).with_name("cases.toml"))["case"])


@dataclass(frozen=True)
class Reply:
    """What came of a case: `text` is the JSON as it was written, `why` a fault in technical words."""

    outcome: Outcome
    text: str = ""
    why: str = ""


def judge(case: Case, way: Way, status: int | None, body: Any) -> Reply:
    """Tell what an answer is to its schema."""
    from jsonschema import Draft202012Validator  # no launch and no collection waits for it

    if status is not None and 400 <= status < 500:
        said = json.dumps(body, ensure_ascii=False)
        named = case.bad or case.keyword
        return Reply("refused", said, "" if named in said else f"the refusal does not name {named}")
    if status != 200:
        return Reply("error", json.dumps(body, ensure_ascii=False)[:300], f"HTTP {status}")
    answer = Answer(body)
    text = answer.text
    if way == "required":
        if not answer.tool_calls:
            return Reply("no_call", text)
        text = str(answer.tool_calls[0].get("function", {}).get("arguments"))
    if answer.finish_reason == "length":
        return Reply("runaway" if RUN.search(text) else "cut", text)
    try:
        value = json.loads(text)
    except ValueError as error:
        return Reply("not_json", text, str(error))
    if case.bad:
        return Reply("violates", text, f"decoded under a schema with {case.bad}")
    faults = [error.message for error in Draft202012Validator(json.loads(case.schema)).iter_errors(value)]
    return Reply("violates", text, "; ".join(faults)) if faults else Reply("valid", text)
