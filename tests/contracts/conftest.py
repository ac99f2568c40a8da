"""The stand-in, quantized and served by the installed lmdeploy on the CPU, by the commands that a GPU run would use."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from typing import Any, Final

import pytest
from xprocess import XProcess

from fixtures.client.client import Client
from fixtures.evidence.events import Exchanged
from fixtures.homework import REHEARSAL_AWQ
from fixtures.lmdeploy import capabilities as table
from fixtures.lmdeploy.capabilities import Capabilities, installed_version
from fixtures.lmdeploy.commands import lmdeploy_program
from fixtures.model.calibration import choose
from fixtures.model.checkpoint import Checkpoint, identify
from fixtures.model.quantization import QuantizedCheckpoint, quantize
from fixtures.run.claims import claim
from fixtures.run.progress import Stage
from fixtures.run.settings import Settings
from fixtures.server.api_server import RunningServer, serve
from fixtures.server.deployment import api_server_command
from fixtures.session.contract_record import MEASURED
from fixtures.session.recording import new_run_id
from fixtures.standin.checkpoint import STANDIN

START_TIMEOUT: Final = 600.0
"""Seconds; 12 to 15 of processor time, nearly all of it imports. A machine with 20 busy processes for two processors
needed more than 240."""

contract: Final = partial(claim, part="contract")
"""Declares a claim about the installed version."""


@pytest.fixture(scope="session")
def capabilities() -> Capabilities:
    """The table's row of the installed version, which these tests compare with its code."""
    return table.capabilities(installed_version())


@pytest.fixture(scope="session")
def sampler() -> None:
    """There is no GPU whose memory could be watched."""


@pytest.fixture
def measure(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Records figures in contract.json: these runs leave no evidence of a deployment."""

    def record(name: str, value: Any, unit: str = "", limit: Any = None, **relation: Any) -> None:
        figure = {"name": name, "value": value, "unit": unit, "limit": limit, **relation}
        request.node.user_properties.append((MEASURED, figure))

    return record


@pytest.fixture(scope="session")
def on_the_cpu(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The homework's settings with an engine on the CPU, and a work directory that nothing was cached in."""
    return replace(
        settings, rehearse=True, work_dir=tmp_path_factory.mktemp("work"), start_timeout=START_TIMEOUT, base_url=None
    )


@pytest.fixture(scope="session")
def standin(on_the_cpu: Settings) -> Checkpoint:
    """The checkpoint that every version is held against."""
    return identify(STANDIN, "standin", on_the_cpu.work_dir / "fingerprints")


@pytest.fixture(scope="session")
def quantized(standin: Checkpoint, on_the_cpu: Settings, capabilities: Capabilities) -> QuantizedCheckpoint:
    """The stand-in as this version's auto_awq quantizes it."""
    return quantize(
        standin,
        choose("local", capabilities.calib_dataset),
        on_the_cpu,
        capabilities,
        lmdeploy_program(rehearse=True),
        {"lmdeploy": installed_version()},
        Stage(lambda _: None),
        REHEARSAL_AWQ,
    )


Start = Callable[..., AbstractContextManager[RunningServer]]


@pytest.fixture(scope="session")
def start(quantized: QuantizedCheckpoint, on_the_cpu: Settings, api_key: str, xprocess: XProcess) -> Start:
    """`start(row, ...)`: a server with the command line that follows from the row and this run's key, or `key`, and
    more options, for the length of a `with` block."""

    def started(row: Capabilities, *options: str, key: str = api_key) -> AbstractContextManager[RunningServer]:
        command = api_server_command(quantized.folder, "awq", on_the_cpu, row, key)
        return serve(
            xprocess,
            replace(command, argv=(*command.argv, *options)),
            run_id=new_run_id(datetime.now(timezone.utc)),
            start_timeout=on_the_cpu.start_timeout,
            stop_timeout=on_the_cpu.stop_timeout,
        )

    return started


@pytest.fixture(scope="session")
def server(start: Start, capabilities: Capabilities) -> Iterator[RunningServer]:
    """The homework's server."""
    with start(capabilities) as running:
        yield running


@pytest.fixture(scope="session")
def exchanges() -> list[Exchanged]:
    """Everything that was asked and answered, oldest first."""
    return []


@pytest.fixture(scope="session")
def client(server: RunningServer, exchanges: list[Exchanged], on_the_cpu: Settings) -> Iterator[Client]:
    """A client of the homework's server."""
    opened = Client(server, on_the_cpu.request_timeout, exchanges.append)
    yield opened
    opened.close()
