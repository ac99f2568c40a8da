"""The control: the unquantized checkpoint behind a second server, to see what quantization cost."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
from xprocess import XProcess

from fixtures.client.client import Client
from fixtures.evidence import Evidence
from fixtures.evidence.events import CONTROL_PHASE
from fixtures.gpu.plugin import mark
from fixtures.gpu.sampler import Sampler
from fixtures.homework import MODEL_NAME, QUANTIZED_SUFFIX
from fixtures.judge.paired import Paired
from fixtures.judge.profile import HIGHEST_COST, LEAST_OF_CONTROL
from fixtures.lmdeploy.capabilities import Capabilities
from fixtures.lmdeploy.commands import lmdeploy_program, serve_command
from fixtures.model import chat_template
from fixtures.model.checkpoint import Checkpoint
from fixtures.model.quantization import served_name
from fixtures.process.port import free_port
from fixtures.run.progress import Progress
from fixtures.run.settings import Settings
from fixtures.server.deployment import started

REWRITTEN: Final = frozenset({"tokenizer_config.json", chat_template.TEMPLATE_FILE})
"""Files that the tool-aware chat template replaces: copied, so that the checkpoint itself stays as it is."""


def tool_aware_copy(checkpoint: Path, name: str, store: Path, table: Capabilities) -> Path:
    """A folder with the checkpoint's files as links and the same chat template as the quantized one."""
    folder = store / served_name(name).removesuffix(QUANTIZED_SUFFIX)
    shutil.rmtree(folder, ignore_errors=True)  # links and two small files: made anew each time
    folder.mkdir(parents=True)
    for file in checkpoint.iterdir():
        if file.name in REWRITTEN:
            shutil.copyfile(file, folder / file.name)
        elif file.is_file():
            (folder / file.name).symlink_to(file.resolve())
    chat_template.install(folder, table)
    return folder


def cost_fault(paired: Paired, unquantized: str, quantized: str) -> str:
    """Why the comparison speaks against the quantized checkpoint, or shows nothing; the texts say what went wrong."""
    if paired.control < LEAST_OF_CONTROL * paired.trials:
        return f"nothing to compare with; unquantized: {unquantized}"
    return f"{paired}; quantized: {quantized}" if paired.interval().lower > HIGHEST_COST else ""


@pytest.fixture(scope="module")
def control(
    checkpoint: Checkpoint,
    client: Client,
    capabilities: Capabilities,
    settings: Settings,
    api_key: str,
    evidence: Evidence,
    progress: Progress,
    sampler: Sampler | None,
    xprocess: XProcess,
) -> Iterator[Client]:
    """A client of the unquantized checkpoint with a 16-bit KV cache, beside the deployment; stopped after the module.

    Its start and stop are not in the run's evidence, whose server is the one that is judged.
    """
    del client  # the deployment starts first: its share of the memory is the homework's
    plain = replace(settings, quant_policy=0)
    folder = tool_aware_copy(checkpoint.folder, checkpoint.name, settings.work_dir / "control", capabilities)
    command = serve_command(
        lmdeploy_program(settings.rehearse),
        folder,
        MODEL_NAME,
        "hf",
        free_port(settings.server_name),
        plain,
        capabilities,
        api_key,
    )
    mark(sampler, CONTROL_PHASE)
    server = started(
        xprocess, command, settings, progress, "start_the_control_server", f"{evidence.folder.name}-control"
    )
    with server as running, closing(Client(running, settings.request_timeout, evidence.append)) as asking:
        yield asking
