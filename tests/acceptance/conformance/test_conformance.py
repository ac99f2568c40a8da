"""协议 / Every protocol as documented: fields, streams, stop reasons, tool calls, refusals; and who may ask."""

import pytest

from fixtures.client.client import Client, Server
from fixtures.evidence import Evidence
from fixtures.lmdeploy.capabilities import Capabilities
from fixtures.run.claims import claim, claim_about
from fixtures.run.measurement import Measure, NotMeasured, assert_no_fault, not_measured
from fixtures.texts import message
from tests.acceptance.conformance.asking import ask, ask_without_a_key, through_sdks
from tests.acceptance.conformance.rows import ROWS, Row, departs

pytestmark = [pytest.mark.gpu, pytest.mark.conformance]

OPEN: frozenset[str] = frozenset({"GET health"})
"""Answers anyone in every version, as lmdeploy means it to."""


@pytest.mark.parametrize(
    "row",
    [
        claim_about(row, row.claim, part="deployment", zh=f"{row.path}：{row.zh}", en=f"{row.path}: {row.en}")
        for row in ROWS
    ],
)
def test_answer_is_as_documented(
    row: Row, client: Client, endpoint: Server, capabilities: Capabilities, evidence: Evidence, measure: Measure
) -> None:
    """Raw over HTTP, and parsed by the protocol's own SDK where that is installed."""
    if row.protocol not in capabilities.protocols:
        raise NotMeasured(message("not_offered.protocol", path=row.path))
    tried = ask(client, row, through_sdks(client, endpoint))
    evidence.append(tried)
    measure("not_as_documented", tried.lacks, expected=[])
    known = departs(capabilities.tried[-1]).get(row.id, [])
    if tried.lacks and set(tried.lacks) <= set(known):
        raise NotMeasured(message("not_offered.departs", lacks=tried.lacks))
    if known and not tried.lacks and tried.sdk != "not_installed":
        measure("no_longer_lacks", known)
    assert_no_fault(message("fault.not_as_documented", lacks=tried.lacks) if tried.lacks else None)


@claim(
    "conformance.key_guards_all",
    part="deployment",
    zh="除 /health 外，每个接口都要密钥",
    en="Every route but /health asks for the key",
)
def test_every_route_asks_for_the_key(
    client: Client, endpoint: Server, capabilities: Capabilities, evidence: Evidence, measure: Measure
) -> None:
    """Every route of the app's own description, among them those that stop it or load other weights."""
    if not endpoint.api_key:
        not_measured("no_key")
    asked = ask_without_a_key(client)
    evidence.append(asked)
    measure("routes_guarded", len(asked.guarded), above=0)
    bare = sorted(set(asked.open) - OPEN)
    measure("routes_open", bare, expected=[])
    if bare and capabilities.open_metrics:
        raise NotMeasured(message("not_offered.key_guards_all", routes=bare))
    assert_no_fault(message("fault.routes_open", routes=bare) if bare else None)
    assert asked.guarded
    assert not asked.unknown, asked.unknown
