"""The version's words where TurboMind cannot serve: of its own api_server, before it loads anything."""

import json
import shutil
import sys
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

import pytest
from xprocess import XProcess

from fixtures.errors import AnotherEngine
from fixtures.homework import MODEL_NAME
from fixtures.lmdeploy.capabilities import Capabilities
from fixtures.lmdeploy.commands import Program, serve_command
from fixtures.process.port import free_port
from fixtures.run.settings import Settings
from fixtures.server.api_server import serve
from fixtures.session.recording import new_run_id
from fixtures.standin.checkpoint import STANDIN

PROGRAM: Final = Path(__file__).parent / "programs" / "without_turbomind.py"

UNKNOWN: Final = {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2"}
"""In no version's list of TurboMind's models, and in none of the PyTorch engine's."""


def why(xprocess: XProcess, settings: Settings, table: Capabilities, how: str, model: Path) -> AnotherEngine:
    """The error of the homework's command on such a machine."""
    host = settings.server_name
    plain = replace(settings, rehearse=False)
    program = Program((sys.executable, str(PROGRAM), how))
    command = serve_command(program, model, MODEL_NAME, "hf", free_port(host), plain, table)
    run_id = new_run_id(datetime.now(timezone.utc))
    with (
        pytest.raises(AnotherEngine) as caught,
        serve(xprocess, command, run_id=run_id, start_timeout=settings.start_timeout, stop_timeout=5),
    ):
        pass
    return caught.value


def test_turbomind_that_cannot_be_loaded_is_told(
    xprocess: XProcess, on_the_cpu: Settings, capabilities: Capabilities
) -> None:
    found = why(xprocess, on_the_cpu, capabilities, "unloadable", STANDIN)
    assert found.id == "engine_unloadable"
    assert capabilities.fallback.shown_by in str(found)


def test_model_that_turbomind_does_not_know_is_told(
    xprocess: XProcess, on_the_cpu: Settings, capabilities: Capabilities, tmp_path: Path
) -> None:
    model = tmp_path / "gpt2"
    shutil.copytree(STANDIN, model)
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    del config["auto_map"]
    (model / "config.json").write_text(json.dumps({**config, **UNKNOWN}), encoding="utf-8")
    found = why(xprocess, on_the_cpu, capabilities, "unknown", model)
    assert found.id == "engine_unsupported"
    assert "supported by" in found.fields["reason"]
