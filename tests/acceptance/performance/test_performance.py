"""部署有多快 / How fast the deployment answers, under load. Servers in turn; run with `-m performance`.

The homework sets no limit: what is asserted is that every figure was honestly come by, and the rest is in the report.
"""

import json
from collections.abc import Iterator

import pytest
from xprocess import XProcess

from fixtures.evidence import Evidence
from fixtures.evidence.events import EnvironmentRecorded
from fixtures.evidence.redaction import redact
from fixtures.gpu.memory_model import Geometry
from fixtures.gpu.plugin import NO_GPU
from fixtures.gpu.probe import Probe
from fixtures.lmdeploy.capabilities import Capabilities
from fixtures.model.checkpoint import Checkpoint
from fixtures.model.quantization import QuantizedCheckpoint
from fixtures.run.claims import claim
from fixtures.run.measurement import Measure
from fixtures.run.progress import Progress
from fixtures.run.settings import Settings
from tests.acceptance.ladder.rungs import HALF_SHARE, HOMEWORK, INT4_KV, Rung
from tests.acceptance.performance.plugin import SERVED, Ground, Measured
from tests.acceptance.performance.plugin import measure as put_under_load

pytestmark = [pytest.mark.gpu, pytest.mark.performance, pytest.mark.alone]

MOST_CPU = 0.5
"""Of a core for the generator: above it, what comes could wait to be noted."""
AGREES_WITHIN = 0.05
LEAST_GAIN = 3.0
"""int4 KV over bf16, in requests at once: 3.76 times the tokens; growing answers and whole blocks take some."""
BATCHING_GAIN = 4.0
"""Tokens a second of 32 users over one: an engine that batches gains far more, one that does not nothing."""

DROPPED_S = 5.0
"""Silence in the middle of an answer. Prompts that are let in meanwhile cost those that answer tenths of a second."""

NOT_FILLED = "not measured: no GPU in a rehearsal, and only the 1.8B's cache is filled"

Servers = dict[str, Measured]


@pytest.fixture(scope="session")
def servers(environment: EnvironmentRecorded, evidence: Evidence) -> Iterator[Servers]:
    """What was measured so far, by rung. What every request took is kept beside the events, whatever the tests say."""
    del environment  # only asked for so that the events say on what
    found: Servers = {}
    yield found
    if found:
        text = json.dumps({id_: server.samples() for id_, server in found.items()}, separators=(",", ":"))
        (evidence.folder / "performance-samples.json").write_text(
            redact(text, evidence.private) + "\n", encoding="utf-8"
        )


@pytest.fixture(scope="module", params=SERVED, ids=lambda rung: rung.id)
def measured(
    request: pytest.FixtureRequest,
    gpu: Probe | None,
    checkpoint: Checkpoint,
    quantized: QuantizedCheckpoint,
    capabilities: Capabilities,
    settings: Settings,
    api_key: str,
    evidence: Evidence,
    progress: Progress,
    xprocess: XProcess,
    servers: Servers,
) -> Measured:
    """A rung under load: its server has come and gone when the tests look at it."""
    rung: Rung = request.param
    known = gpu is not None and checkpoint.geometry == "internlm2_5-1_8b" and settings.backend == "turbomind"
    geometry = Geometry.of(checkpoint.config) if known else None
    ground = Ground(settings, capabilities, geometry, evidence, progress, xprocess, api_key)
    model = checkpoint.folder if rung.weights == "bf16" else quantized.folder
    servers[rung.id] = put_under_load(ground, rung, model)
    return servers[rung.id]


@claim(
    "performance.answers",
    part="deployment",
    zh="性能：负载下每个请求都得到完整回答",
    en="Performance: every request under load is answered whole",
)
def test_every_request_is_answered_whole(measured: Measured, measure: Measure) -> None:
    """Under every load, with exactly the tokens asked for."""
    asked = sum(one.figures.requests for one in measured.answered)
    failed = [timing.error for one in measured.answered for timing in one.sent.timings if timing.error]
    measure("whole_answers", f"{asked - len(failed)} of {asked}", limit=f"{asked} of {asked}")
    assert not failed, f"{measured.rung.id}: {failed[0]}"
    for one in measured.answered:
        assert one.figures.tokens == one.figures.requests * measured.answer_tokens, one.load.name


@claim(
    "performance.generator",
    part="deployment",
    zh="性能：负载发生器不是瓶颈",
    en="Performance: the load generator is not the bottleneck",
)
def test_the_generator_is_not_the_bottleneck(measured: Measured, measure: Measure) -> None:
    """It waits most of the time, so that what comes is noted when it comes."""
    busiest = max(one.sent.cpu_share for one in measured.answered)
    measure("generator", busiest, "cores", f"<= {MOST_CPU:g}")
    assert busiest <= MOST_CPU


@claim(
    "performance.batching",
    part="deployment",
    zh="性能：用户多，总吞吐也高",
    en="Performance: many users share the GPU",
    needs_gpu=True,
)
def test_many_users_share_the_gpu(measured: Measured, gpu: Probe | None, measure: Measure) -> None:
    """More users, more tokens a second."""
    if gpu is None:
        pytest.skip(NO_GPU)
    by_users = {one.load.concurrency: one.figures.tokens_per_s for one in measured.answered if one.load.concurrency}
    gain = by_users[32] / by_users[1]
    measure("tokens_per_s", f"{by_users[32]:.0f} / {by_users[1]:.0f}", "", f">= {BATCHING_GAIN:g}")
    assert gain >= BATCHING_GAIN


@claim(
    "performance.agrees",
    part="deployment",
    zh="性能：与 lmdeploy 自己的压测口径一致",
    en="Performance: lmdeploy's own protocol says the same",
    needs_gpu=True,
)
def test_lmdeploys_own_protocol_says_the_same(servers: Servers, measure: Measure) -> None:
    """On the homework's server, in turn: time to the first token, tokens and requests a second."""
    (homework,) = those(servers, HOMEWORK)
    if homework.agreement is None:
        pytest.skip(NO_GPU)
    measure("apart", f"{100 * homework.agreement.apart:.1f}", "%", f"<= {100 * AGREES_WITHIN:g} %")
    assert homework.agreement.apart <= AGREES_WITHIN, str(homework.agreement)


@claim(
    "performance.int4_holds_more",
    part="deployment",
    zh="性能：int4 KV 能同时回答更多用户",
    en="Performance: int4 KV answers more users at once",
    needs_gpu=True,
)
def test_int4_keys_and_values_answer_more_users_at_once(servers: Servers, measure: Measure) -> None:
    """Of 8192 tokens each and at equal share, with none that waits and none that is dropped to make room."""
    wide, narrow = (one.passed for one in those(servers, HALF_SHARE, INT4_KV))
    if wide is None or narrow is None:
        pytest.skip(NOT_FILLED)
    gain = narrow.at_once / wide.at_once
    measure("at_once", f"{narrow.at_once} / {wide.at_once} = {gain:.2f}", limit=f">= {LEAST_GAIN:g}")
    for one in (wide, narrow):
        assert one.at_once == one.asked, f"{one.asked - one.at_once} of {one.asked} had to wait, or failed"
        assert one.longest_gap_s <= DROPPED_S, "a request was dropped to make room for others"
    assert gain >= LEAST_GAIN


def those(servers: Servers, *rungs: Rung) -> list[Measured]:
    """Servers that must have been measured before."""
    missing = [rung.id for rung in rungs if rung.id not in servers]
    if missing:
        pytest.fail(f"not measured in this run: {', '.join(missing)}")
    return [servers[rung.id] for rung in rungs]
