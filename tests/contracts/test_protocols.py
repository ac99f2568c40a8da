"""The version's protocols and its structured output: what the table says of them."""

from typing import Any

from fixtures.lmdeploy.capabilities import Capabilities
from fixtures.run.measurement import Measure
from fixtures.server.api_server import RunningServer
from tests.acceptance.conformance.rows import ROWS
from tests.contracts.conftest import contract
from tests.contracts.test_server import SUM, get, post


def under(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the field that asks for an object whose `answer` satisfies a schema."""
    whole = {"type": "object", "properties": {"answer": schema}, "required": ["answer"]}
    return {"type": "json_schema", "json_schema": {"name": "reply", "schema": whole}}


@contract("server.protocols", zh="提供哪些协议", en="which protocols it serves")
def test_protocols_are_those_of_the_table(server: RunningServer, capabilities: Capabilities, measure: Measure) -> None:
    """By the app's own description of its routes."""
    described = get(server, "/openapi.json").json()["paths"]
    found = sorted({row.protocol for row in ROWS if row.path in described})
    measure("protocols", ", ".join(found), expected=", ".join(sorted(capabilities.protocols)))
    assert set(found) == capabilities.protocols


@contract("server.response_format", zh="response_format", en="response_format")
def test_response_format_is_heeded_as_promised(
    server: RunningServer, capabilities: Capabilities, measure: Measure
) -> None:
    """Where there is a grammar, the text begins as the schema's object."""
    answer = post(server, messages=SUM, response_format=under({"enum": ["yes", "no"]}), max_tokens=16)
    came = "refused" if answer.status_code == 400 else f"HTTP {answer.status_code}"
    if answer.status_code == 200:
        text = answer.json()["choices"][0]["message"]["content"] or ""
        came = "grammar" if text.lstrip().startswith("{") else "unread"
    measure("response_format", came, expected=capabilities.response_format)
    assert came == capabilities.response_format, answer.text[:500]
