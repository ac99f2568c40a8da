"""The control: the unquantized checkpoint behind a second server, to see what quantization cost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from xprocess import XProcess

from fixtures.client.client import Client
from fixtures.evidence import Evidence
from fixtures.evidence.events import CONTROL_PHASE
from fixtures.gpu.plugin import mark
from fixtures.gpu.sampler import Sampler
from fixtures.homework import MODEL_NAME
from fixtures.judge.paired import Paired
from fixtures.judge.profile import HIGHEST_COST, LEAST_OF_CONTROL
from fixtures.lmdeploy.capabilities import Capabilities
from fixtures.lmdeploy.commands import lmdeploy_program, serve_command
from fixtures.model.checkpoint import Checkpoint
from fixtures.model.tool_aware import tool_aware_copy
from fixtures.process.port import free_port
from fixtures.run.progress import Progress
from fixtures.run.settings import Settings
from fixtures.server.deployment import started


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
