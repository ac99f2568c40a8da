"""The rehearsal server answers as the same lmdeploy on a GPU did: status, content type, keys, types, finish reasons."""

import pytest

from fixtures.server.api_server import RunningServer
from tools.protocol.recording import CASES, RECORDED, ask
from tools.protocol.shape import differences, shape


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_the_rehearsal_answers_as_a_gpu_does(case, server: RunningServer):
    ours, theirs = ask(server.host, server.port, case), RECORDED[case.name]
    assert (ours.status, ours.content_type) == (theirs["status"], theirs["content_type"])
    assert differences(shape(ours.body), shape(theirs["body"])) == []
