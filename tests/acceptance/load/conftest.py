"""The servers under load, each compared once with itself."""

from typing import Final
from urllib.parse import urlsplit

import pytest

from fixtures.ask.load import Endpoint
from fixtures.client.client import Client
from fixtures.evidence import Evidence
from fixtures.model.quantization import QuantizedCheckpoint
from fixtures.run.measurement import not_measured
from fixtures.run.options import from_config
from fixtures.run.progress import Progress
from fixtures.run.settings import Settings
from fixtures.server.in_turn import Configuration, InTurn
from tests.acceptance.load.events import LoadCompared
from tests.acceptance.load.measuring import Row, compare, workload
from tests.acceptance.load.suite import Options

SERVED: Final = {"deployment": (), "prefix_caching": ("--enable-prefix-caching",)}
"""The deployment itself, and then the same with a prefix cache, which the homework's has not."""


@pytest.fixture(scope="session")
def compared(request: pytest.FixtureRequest, settings: Settings, evidence: Evidence, progress: Progress) -> list[Row]:
    """What came of every server: the run's own ones in turn, or the one at --base-url, with the caches that it has.

    Raises AcceptanceError where one does not start, or dies.
    """
    rows: list[Row] = []

    def keep(endpoint: Endpoint, name: str, argv: list[str]) -> None:
        asked = from_config(request.config, Options).load_requests
        load = workload(settings.rehearse, name == "prefix_caching", asked)
        with progress.stage(name) as on_line:
            rows.append({**compare(endpoint, name, load, settings.request_timeout, on_line), "argv": argv})
        evidence.append(LoadCompared(rows[-1]))

    if settings.base_url is not None:
        address = urlsplit(settings.base_url)
        if address.scheme != "http" or address.path.rstrip("/") != "/v1":
            not_measured("load_through", address=settings.base_url)
        client: Client = request.getfixturevalue("client")
        host, port, key = address.hostname or "", address.port or 80, request.getfixturevalue("api_key")
        keep(Endpoint(host, port, client.model_name, key), "server", [])
        return rows
    quantized: QuantizedCheckpoint = request.getfixturevalue("quantized")
    request.getfixturevalue("environment")  # for the record
    in_turn: InTurn = request.getfixturevalue("in_turn")
    configuration = Configuration("w4a16", settings.quant_policy, settings.cache_max_entry_count, settings.backend)
    for name, flags in SERVED.items():
        with in_turn.serving(configuration, quantized.folder, flags=flags) as turn:
            try:
                keep(Endpoint.of(turn.server), name, list(turn.argv))
            finally:
                turn.server.check_alive()  # its death is the cause of whatever was not answered
    return rows
