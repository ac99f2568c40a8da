"""The deployment's tokens, asked for and scored once."""

import time
from dataclasses import asdict

import pytest

from fixtures.ask.load import Endpoint
from fixtures.evidence import Evidence
from fixtures.evidence.events import CONTROL_PHASE
from fixtures.gpu.plugin import mark
from fixtures.gpu.sampler import Sampler
from fixtures.lmdeploy.capabilities import Capabilities
from fixtures.model.quantization import QuantizedCheckpoint
from fixtures.run.measurement import not_measured
from fixtures.run.progress import Progress
from fixtures.run.settings import Settings
from fixtures.server.api_server import RunningServer
from fixtures.server.in_turn import Configuration
from tests.acceptance.fidelity.asking import REHEARSED, WHOLE
from tests.acceptance.fidelity.events import FidelityScored
from tests.acceptance.fidelity.scoring import asked, must_fit, scored
from tests.acceptance.fidelity.statistic import hypotheses


@pytest.fixture(scope="session")
def fidelity(
    server: RunningServer,
    quantized: QuantizedCheckpoint,
    settings: Settings,
    capabilities: Capabilities,
    evidence: Evidence,
    progress: Progress,
    sampler: Sampler | None,
) -> FidelityScored:
    """How well each hypothesis explains the deployment's tokens.

    :raises RequestError: the server does not answer.
    :raises CheckpointError: the reference cannot score.
    """
    if settings.backend == "pytorch" and not settings.rehearse:
        not_measured("fidelity_engine")
    if not capabilities.template_from_tokenizer:
        not_measured("fidelity_template")
    must_fit(quantized.source.folder, quantized.folder)
    began = time.monotonic()
    mark(sampler, CONTROL_PHASE)  # from here on the reference shares the GPU
    with progress.stage("fidelity"):
        size = REHEARSED if settings.rehearse else WHOLE
        told = asked(Endpoint.of(server), settings.request_timeout, evidence.folder.name, size)
        if not any(len(top) > 1 for reply in told for top in reply.top):
            not_measured("fidelity_logprobs")
        arrays = scored(quantized.source.folder, quantized.folder, [told], settings.rehearse)
    found = FidelityScored(
        declared=Configuration("w4a16", settings.quant_policy).title,
        tokens=len(arrays["0/owners"]),
        seconds=round(time.monotonic() - began, 3),
        same_prompts=arrays["0/same_length"].tolist(),
        hypotheses=[asdict(one) for one in hypotheses(arrays, 0)],
    )
    evidence.append(found)
    return found
