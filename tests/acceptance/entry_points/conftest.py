"""Fixtures of the entry points: what was seen at each is kept as evidence before anything is asserted."""

from collections.abc import Iterator
from typing import Any

import pytest
from xprocess import XProcess

from fixtures.evidence import Evidence
from fixtures.evidence.events import CONTROL_PHASE, EnvironmentRecorded
from fixtures.gpu.sampler import Sampler, wait_released
from fixtures.lmdeploy.capabilities import Capabilities
from fixtures.lmdeploy.commands import lmdeploy_program
from fixtures.model.checkpoint import Checkpoint
from fixtures.model.quantization import QuantizedCheckpoint
from fixtures.run.claims import claim_of
from fixtures.run.measurement import as_value
from fixtures.run.progress import Progress
from fixtures.run.settings import Settings
from fixtures.server.api_server import RunningServer
from fixtures.server.deployment import DEPLOYMENT, LOOPBACK, Deployment, api_server_command, started
from fixtures.texts import Message
from tests.acceptance.entry_points.events import EntryPointTried
from tests.acceptance.entry_points.trying import Ground, Keep, Said


@pytest.fixture
def keep(request: pytest.FixtureRequest, evidence: Evidence) -> Keep:
    """Records what was seen at the running test's entry point."""
    claim = claim_of(request.node)

    def record(command: str, transcript: str, seconds: float, note: Message | str = "", **seen: Any) -> None:
        evidence.append(EntryPointTried(claim, command, transcript, round(seconds, 2), as_value(note), **seen))

    return record


@pytest.fixture(scope="module")
def ground(
    request: pytest.FixtureRequest,
    environment: EnvironmentRecorded,  # noqa: ARG001 - for the report of a run of entry points alone
    settings: Settings,
    capabilities: Capabilities,
    sampler: Sampler | None,
    progress: Progress,
) -> Ground:
    """For the entry points, one after the other: this run's deployment is stopped, and its memory given back."""
    deployment: Deployment | None = request.config.stash.get(DEPLOYMENT, None)
    if deployment is not None:
        deployment.stop()
    if sampler is not None:
        sampler.mark(CONTROL_PHASE)  # from here on others than the deployment use the GPU
        wait_released(sampler.last_mib, sampler.phase_mib("idle"))
    return Ground(settings, capabilities, lmdeploy_program(settings.rehearse), sampler, progress)


@pytest.fixture(scope="module")
def homework_server(
    ground: Ground, quantized: QuantizedCheckpoint, evidence: Evidence, xprocess: XProcess
) -> Iterator[RunningServer]:
    """The homework's command of section 4.1 as a learner types it, which asks for no key: browsers, `ssh` and the
    homework's script have none to give. It listens on loopback, for as long as the entry points are tried."""
    settings = ground.settings
    command = api_server_command(quantized.folder, "awq", settings, ground.capabilities, server_name=LOOPBACK)
    with started(xprocess, command, settings, ground.progress, "start_the_server", evidence.folder.name) as server:
        yield server


@pytest.fixture(scope="module")
def source_chat(ground: Ground, checkpoint: Checkpoint) -> Said:
    """Section 2.3: `lmdeploy chat` on the checkpoint as it came."""
    return ground.chat(checkpoint.folder)
