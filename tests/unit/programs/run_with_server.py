"""A miniature test run with a real server, to be interrupted from outside. Its name keeps it from being collected."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from xprocess import XProcess

from fixtures.evidence import Evidence
from fixtures.lmdeploy.commands import ServeCommand
from fixtures.server.api_server import RunningServer, serve

GIVEN = json.loads(os.environ["GIVEN"])


@pytest.fixture(scope="session")
def server(xprocess: XProcess) -> Iterator[RunningServer]:
    command = ServeCommand(tuple(GIVEN["argv"]), ("serve",), {}, "127.0.0.1", GIVEN["port"], "fake-chat")
    evidence = Evidence(Path(GIVEN["evidence"]))
    with serve(xprocess, command, run_id="mini", start_timeout=30, stop_timeout=5, evidence=evidence) as running:
        yield running


def test_in_use(server: RunningServer) -> None:
    server.check_alive()
    Path(GIVEN["evidence"], "in-use").touch()
    ends = time.monotonic() + GIVEN["use"]
    while time.monotonic() < ends:
        time.sleep(0.05)  # a signal that came just before one long sleep would wait for its end
