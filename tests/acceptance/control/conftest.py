"""The control: the unquantized checkpoint behind a second server, asked the same as the one that is judged."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace

import pytest
from xprocess import XProcess

from fixtures.ask.load import Endpoint
from fixtures.ask.scoring import ScoringEndpoint
from fixtures.client.client import Client
from fixtures.evidence import Evidence
from fixtures.evidence.events import CONTROL_PHASE
from fixtures.gpu.plugin import mark
from fixtures.gpu.sampler import Sampler
from fixtures.homework import MODEL_NAME
from fixtures.lmdeploy.capabilities import Capabilities
from fixtures.lmdeploy.commands import lmdeploy_program, serve_command
from fixtures.model.checkpoint import Checkpoint
from fixtures.model.plain_copy import plain_copy
from fixtures.process.port import free_port
from fixtures.run.progress import Progress
from fixtures.run.settings import Settings
from fixtures.server.deployment import started


@dataclass(frozen=True)
class Servers:
    """Clients of the server that is judged and of the unquantized one beside it, which also scores texts."""

    quantized: Client
    unquantized: Client
    scoring: ScoringEndpoint


@pytest.fixture(scope="module")
def servers(
    client: Client,
    checkpoint: Checkpoint,
    capabilities: Capabilities,
    settings: Settings,
    api_key: str,
    evidence: Evidence,
    progress: Progress,
    sampler: Sampler | None,
    xprocess: XProcess,
) -> Iterator[Servers]:
    """The deployment, and then the unquantized checkpoint with a 16-bit KV cache beside it; stopped after the module.

    The deployment starts first: its share of the memory is the homework's. Start and stop of the other are not in the
    run's evidence, whose server is the one that is judged.
    """
    folder = plain_copy(checkpoint, settings.work_dir / "control", capabilities)
    port = free_port(settings.server_name)
    plain = replace(settings, quant_policy=0)
    program = lmdeploy_program(settings.rehearse)
    command = serve_command(program, folder, MODEL_NAME, "hf", port, plain, capabilities, api_key)
    mark(sampler, CONTROL_PHASE)
    run_id = f"{evidence.folder.name}-control"
    with (
        started(xprocess, command, settings, progress, "start_the_control_server", run_id) as running,
        closing(Client(running, settings.request_timeout, evidence.append)) as asking,
    ):
        yield Servers(client, asking, ScoringEndpoint(Endpoint.of(running), settings.request_timeout))
