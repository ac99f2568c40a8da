"""结构化输出 / Replies under a schema: valid, ended, and refused clearly where no grammar can say it."""

from collections.abc import Callable
from typing import Final

import pytest

from fixtures.client.answer import Answer
from fixtures.client.client import Client
from fixtures.evidence import Evidence
from fixtures.lmdeploy.capabilities import Capabilities
from fixtures.run.claims import claim_about
from fixtures.run.measurement import Measure, NotMeasured, assert_no_fault
from fixtures.texts import message
from tests.acceptance.structured.cases import CASES, MAX_TOKENS, WAYS, Case, Way, judge
from tests.acceptance.structured.events import SchemaTried

pytestmark = [pytest.mark.gpu, pytest.mark.structured]

KEPT = 300
"""Characters of a reply that its event keeps; the exchange has it whole."""


OFFERED: Final[dict[Way, Callable[[Capabilities], bool]]] = {
    "response_format": lambda row: row.response_format == "grammar",
    "required": lambda row: row.enforces_required,
}


@pytest.mark.parametrize(
    "asked",
    [
        claim_about(
            (case, way),
            f"structured.{case.id}.{way}",
            part="deployment",
            zh=f"{way}：{case.zh}",
            en=f"{way}: {case.en}",
        )
        for case in CASES
        for way in WAYS
    ],
)
def test_reply_satisfies_its_schema(
    asked: tuple[Case, Way], client: Client, capabilities: Capabilities, evidence: Evidence, measure: Measure
) -> None:
    """Complete before `max_tokens`; where the schema cannot be had, a refusal that names what is in the way."""
    case, way = asked
    if not OFFERED[way](capabilities):
        raise NotMeasured(message(f"not_offered.{way}"))
    messages = [{"role": "user", "content": case.ask}]
    exchanged = client.attempt(messages, temperature=0, max_tokens=MAX_TOKENS, **case.request(way))
    reply, tokens = judge(case, way, exchanged.status, exchanged.response), Answer(exchanged.response).usage
    text = reply.text[:KEPT]
    evidence.append(SchemaTried(case.id, way, reply.outcome, reply.why, tokens.get("completion_tokens"), text))
    outcome = message(f"structured.{reply.outcome}")
    measure("reply_under_schema", outcome)
    if reply.why or reply.outcome not in case.good:
        assert_no_fault(message("fault.reply_under_schema", outcome=outcome, why=reply.why, text=text))
