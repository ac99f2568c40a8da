"""The stand-in answers as lmdeploy's protocol is documented, and the catalogue has no dead switches."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from fixtures.client.client import Client
from fixtures.server.external_server import ExternalServer
from tests.acceptance.conformance.rows import ROWS, Row, parsed
from tests.faults.acts import ACTS
from tests.faults.catalogue import FAULTS
from tests.faults.environment import Environment
from tests.faults.lmdeploy import awq, memory, server
from tests.faults.lmdeploy.behaviour import BEHAVIOUR
from tests.faults.lmdeploy.protocol import PROTOCOL
from tests.faults.stage import serving

pytestmark = pytest.mark.faults

ASKED = {"models.list", "chat.answer", "chat.stream", "chat.call", "chat.call_stream"}
"""The documented rows of what a run under a fault asks."""

CALIBRATION = ("calibration-text-too-short", "tokenizer-knows-no-chinese")
"""Switches of the stand-ins in `lmdeploy/packages`."""

SWITCHES = (
    BEHAVIOUR, PROTOCOL, awq.BEFORE, awq.AFTER, {awq.UNQUANTIZED}, CALIBRATION, memory.SHARE, memory.GROWTH_MIB,
    memory.LEFT_MIB, memory.UNQUANTIZED_MIB, server.START, server.FAILS, server.WIRE, server.STREAM,
    server.MODEL_NAMES, server.OTHERS,
)  # fmt: skip
"""Everything that makes a fault in the stand-in, by the fault's id."""


@pytest.fixture(scope="module")
def port(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    log = tmp_path_factory.mktemp("stand-in") / "log"
    with serving(environment, log, "--tool-call-parser", "internlm") as chosen:
        yield chosen


@pytest.mark.parametrize("row", [row for row in ROWS if row.id in ASKED], ids=lambda row: row.id)
def test_the_stand_in_answers_as_documented(row: Row, port: int) -> None:
    server = ExternalServer(f"http://127.0.0.1:{port}/v1", "any")
    with closing(Client(server, 60, lambda _: None)) as client:
        status, content_type, text = client.send(row.method, row.path, row.request(client.model_name))
    assert row.lacks(status, parsed(content_type, text)) == []


def test_every_fault_is_made_somewhere_and_every_switch_is_of_a_fault() -> None:
    ids = [fault.id for fault in FAULTS]
    assert len(set(ids)) == len(ids)
    switches = {name for switch in SWITCHES for name in switch}
    assert {fault.switch for fault in FAULTS} <= {"", *switches}
    assert switches | set(ACTS) <= set(ids)
    made = switches | set(ACTS) | set(awq.CORRUPTIONS)
    assert [fault for fault in FAULTS if fault.id not in made and not (fault.arguments or fault.variables)] == []
