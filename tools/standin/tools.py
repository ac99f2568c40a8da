"""Tool lists as LMDeploy's api_server hands them to the prompt: the inner ``function`` objects.

Every version dumps them through the same pydantic model, so the keys come in the order description, name, parameters.
"""

from random import Random
from typing import Any, Final

from fixtures.client.tools import TOOLS
from tools.standin.dialogue import Tool
from tools.standin.texts import PROBLEMS

DOCUMENTED: Final = {tool["function"]["name"]: tool["function"]["description"] for tool in TOOLS}
"""What the tools of LMDeploy's documented example say that they do."""
OPERANDS: Final = ("A number", "A number")
"""And what it says of a and b."""


def function(name: str, description: str, parameters: dict[str, Any]) -> Tool:
    """One tool in the order of keys that LMDeploy dumps."""
    return {"description": description, "name": name, "parameters": parameters}


def _schema(number: str, texts: tuple[str, str] | None, text_first: bool = False) -> dict[str, Any]:
    properties: dict[str, dict[str, Any]] = {}
    for letter, text in zip("ab", texts or ("", ""), strict=True):
        described = {"description": text} if texts else {}
        properties[letter] = {**described, "type": number} if text_first else {"type": number, **described}
    return {"type": "object", "properties": properties, "required": ["a", "b"]}


def sample_schema(rng: Random) -> dict[str, Any]:
    """One of the ways to write the operands' schema."""
    number = rng.choice(("int", "int", "integer", "integer", "integer", "number"))
    texts = OPERANDS if rng.random() < 0.6 else rng.choice((*PROBLEMS["operand_texts"], None))
    schema = _schema(number, texts, text_first=rng.random() < 0.3)
    if rng.random() < 0.1:
        for letter in "ab":
            schema["properties"][letter]["title"] = letter.upper()
    if rng.random() < 0.25:
        schema["additionalProperties"] = False
    if rng.random() < 0.2:
        keys = list(schema)
        rng.shuffle(keys)
        schema = {key: schema[key] for key in keys}
    return schema


def sample_tools(rng: Random, names: tuple[str, ...]) -> tuple[Tool, ...]:
    """The named ones of add and mul in a random order and wording, sometimes among unrelated tools."""
    if rng.random() < 0.35:
        schema, texts = _schema(rng.choice(("int", "integer", "integer", "number")), OPERANDS), DOCUMENTED
    else:
        standard, schema = rng.random() < 0.5, sample_schema(rng)
        texts = DOCUMENTED if standard else {name: rng.choice(PROBLEMS["tool_texts"][name]) for name in DOCUMENTED}
    tools = [function(name, text, schema) for name, text in texts.items() if name in names]
    if rng.random() < 0.12:
        tools.append(rng.choice(UNRELATED))
    if rng.random() < 0.5:
        rng.shuffle(tools)
    return tuple(tools)


def _text_tool(name: str, description: str, parameter: str, text: str) -> Tool:
    properties = {parameter: {"type": "string", "description": text}}
    return function(name, description, {"type": "object", "properties": properties, "required": [parameter]})


UNRELATED = tuple(_text_tool(*words) for words in PROBLEMS["unrelated_tools"])
