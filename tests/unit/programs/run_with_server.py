"""A miniature test run with a real server, to be interrupted from outside. Its name keeps it from being collected."""

from __future__ import annotations

import json
import os
from pathlib import Path

from xprocess import XProcess

from fixtures.evidence import Evidence
from fixtures.lmdeploy.commands import ServeCommand
from fixtures.server.api_server import serve

GIVEN = json.loads(os.environ["GIVEN"])


def test_server_loads(xprocess: XProcess, tmp_path: Path) -> None:
    command = ServeCommand(tuple(GIVEN["argv"]), ("serve",), {}, "127.0.0.1", GIVEN["port"], "fake-chat")
    with serve(xprocess, command, run_id="mini", start_timeout=30, stop_timeout=5, evidence=Evidence(tmp_path / "log")):
        pass
