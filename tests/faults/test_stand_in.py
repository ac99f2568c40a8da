"""The stand-in is worth its name: it answers as lmdeploy did on a GPU. The catalogue has no dead switches."""

from collections.abc import Iterator

import pytest

from tests.faults.acts import ACTS
from tests.faults.catalogue import FAULTS
from tests.faults.environment import Environment
from tests.faults.lmdeploy import awq, memory, server
from tests.faults.lmdeploy.behaviour import BEHAVIOUR
from tests.faults.lmdeploy.protocol import PROTOCOL
from tests.faults.stage import serving
from tools.protocol.recording import CASES, RECORDED, Case, ask
from tools.protocol.shape import differences, shape

pytestmark = pytest.mark.faults

ASKED = (
    "health", "models", "chat", "story", "cut at max_tokens", "streamed", "streamed with usage", "tool call",
    "tool call streamed", "tools offered and not needed", "tool result", "no such path",
)  # fmt: skip
"""The recorded cases of what a run under a fault asks."""

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


@pytest.mark.parametrize("case", [case for case in CASES if case.name in ASKED], ids=lambda case: case.name)
def test_the_stand_in_answers_as_a_gpu_did(case: Case, port: int) -> None:
    ours, theirs = ask("127.0.0.1", port, case), RECORDED[case.name]
    assert (ours.status, ours.content_type) == (theirs["status"], theirs["content_type"])
    assert differences(shape(ours.body), shape(theirs["body"])) == []


def test_every_fault_is_made_somewhere_and_every_switch_is_of_a_fault() -> None:
    ids = [fault.id for fault in FAULTS]
    assert len(set(ids)) == len(ids)
    switches = {name for switch in SWITCHES for name in switch}
    assert {fault.switch for fault in FAULTS} <= {"", *switches}
    assert switches | set(ACTS) <= set(ids)
    made = switches | set(ACTS) | set(awq.CORRUPTIONS)
    assert [fault for fault in FAULTS if fault.id not in made and not (fault.arguments or fault.variables)] == []
