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


@pytest.mark.parametrize("how", ["unloadable", "unsupported"])
def test_machine_where_turbomind_cannot_serve_is_told(
    how: str, xprocess: XProcess, on_the_cpu: Settings, capabilities: Capabilities, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    shutil.copytree(STANDIN, model)
    if how == "unsupported":
        config = json.loads((model / "config.json").read_text(encoding="utf-8"))
        del config["auto_map"]
        (model / "config.json").write_text(json.dumps({**config, **UNKNOWN}), encoding="utf-8")
    host, plain = on_the_cpu.server_name, replace(on_the_cpu, rehearse=False)
    program = Program((sys.executable, str(PROGRAM), how))
    command = serve_command(program, model, MODEL_NAME, "hf", free_port(host), plain, capabilities)
    run_id = new_run_id(datetime.now(timezone.utc))
    with (
        pytest.raises(AnotherEngine) as caught,
        serve(xprocess, command, run_id=run_id, start_timeout=plain.start_timeout, stop_timeout=5),
    ):
        pass
    assert caught.value.id == f"engine_{how}"
    assert (capabilities.fallback.shown_by if how == "unloadable" else "supported by") in str(caught.value)
