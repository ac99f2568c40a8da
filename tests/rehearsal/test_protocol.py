"""The rehearsal server answers as the same lmdeploy on a GPU did: status, content type, keys, types, finish reasons."""

import json

import pytest

from fixtures.lmdeploy.commands import ROOT
from fixtures.server.api_server import RunningServer
from tools.protocol.cases import CASES
from tools.protocol.recording import ask
from tools.protocol.shape import differences, shape

RECORDING = json.loads((ROOT / "docs" / "records" / "protocol-0.18.0-h100.json").read_text(encoding="utf-8"))
RECORDED = {answer["name"]: answer for answer in RECORDING["answers"]}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_the_rehearsal_answers_as_a_gpu_does(case, server: RunningServer):
    ours, theirs = ask(server.host, server.port, case), RECORDED[case.name]
    found = [] if ours.status == theirs["status"] else [f"status: {ours.status}, recorded {theirs['status']}"]
    if ours.content_type != theirs["content_type"]:
        found.append(f"content type: {ours.content_type}, recorded {theirs['content_type']}")
    found += differences(shape(ours.body), shape(theirs["body"]))
    assert found == []


def test_every_case_was_recorded():
    assert set(RECORDED) == {case.name for case in CASES}
