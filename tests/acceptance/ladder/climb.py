"""Climb the ladder: start each rung's server, measure its memory idle, loaded, ready, under load and after its end."""

import math
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from fixtures.ask.load import Endpoint, burst, fill_cache, size_prompts
from fixtures.errors import ServerError
from fixtures.gpu.ballast import CONTEXT_MIB, ballast
from fixtures.gpu.memory_model import OVERHEAD, Card, Geometry, expected
from fixtures.gpu.probe import Probe
from fixtures.gpu.sampler import Sampler, wait_released
from fixtures.process.guard import descendants
from fixtures.process.port import listener
from fixtures.run.units import GIB_IN_MIB, MIB
from fixtures.server.api_server import RunningServer
from fixtures.server.in_turn import InTurn
from tests.acceptance.ladder.events import RungClimbed, StartFailed
from tests.acceptance.ladder.rungs import Climbed, FailedStart, Rung, before_largest_step

PROMPT_TOKENS: Final = 8192
"""At most, for a prompt: one full prefill step of lmdeploy (`max_prefill_token_num`), with the largest activations."""
FILL_SHARE: Final = 0.8
"""Of the cache, by prompts alone."""
HELD_SHARE: Final = 0.95
"""Of the cache, by prompts and the longest answers: beyond it the scheduler would drop requests to make room."""
FILL_DEADLINE_S: Final = 90.0
"""A million tokens take an H100 about 20 s; small cards have small caches."""

SETTLING_REQUESTS: Final = 20
LEAK_REQUESTS: Final = 200
CONCURRENCY: Final = 16

FAILING_START_TIMEOUT_S: Final = 120.0
"""For a start that must fail: without memory it fails where another is ready, in 20 to 30 s. One that hangs instead
must not cost ten minutes of a rented card."""


@dataclass(frozen=True)
class Ground:
    """What every rung stands on: the GPU, its sampler, the model's shape, and where servers are started in turn."""

    probe: Probe
    sampler: Sampler
    geometry: Geometry
    in_turn: InTurn


def climb(ground: Ground, rung: Rung, model: Path, weights_bytes: int) -> Climbed:
    """Measure one rung, and record it. Its server is gone afterwards, whatever happens.

    :param model: folder of the checkpoint with this rung's weights.
    :raises AcceptanceError: the server does not start, dies, refuses a request, or memory cannot be measured.
    """
    with _card(ground, rung):
        climbed = _climb(ground, rung, model, weights_bytes)
    ground.in_turn.evidence.append(RungClimbed(climbed.row))
    return climbed


def fail_to_start(ground: Ground, rung: Rung, model: Path, weights_bytes: int) -> FailedStart:
    """Start a server that cannot start, and record what is said of it and whether its memory comes back.

    :raises GpuError: memory cannot be measured or held back.
    """
    sampler, error = ground.sampler, None
    settings = replace(ground.in_turn.settings, start_timeout=FAILING_START_TIMEOUT_S)
    with _card(ground, rung):
        idle = sampler.begin(f"{rung.id}.idle")
        began = time.monotonic()
        try:
            with replace(ground.in_turn, settings=settings).serving(rung.configuration, model, recorded=True):
                pass
        except ServerError as failure:
            error = failure
        seconds = round(time.monotonic() - began, 3)
        peak = sampler.peak_mib(since_phase=f"{rung.id}.idle")
        sampler.mark(f"{rung.id}.failed")
        release = wait_released(sampler.last_mib, idle)
    memory = {"idle_mib": round(idle), "peak_mib": round(peak), **release.row()}
    facts = {**rung.fields, **memory, "seconds": seconds, "error": error and error.as_json()}
    ground.in_turn.evidence.append(StartFailed(facts))
    return FailedStart(weights_bytes / MIB, error, release, facts)


@contextmanager
def _card(ground: Ground, rung: Rung) -> Iterator[None]:
    """Make the card as large as the rung is to find it: another process holds what is too much."""
    if rung.card_gib is None:
        yield
        return
    free = ground.probe.total_mib() - ground.probe.reserved_mib() - ground.sampler.last_mib()
    with ballast(round(free - rung.card_gib * GIB_IN_MIB - CONTEXT_MIB)):
        yield


def _climb(ground: Ground, rung: Rung, model: Path, weights_bytes: int) -> Climbed:
    sampler, knobs = ground.sampler, rung.configuration.knobs()
    idle = sampler.begin(f"{rung.id}.idle")
    card = Card(ground.probe.total_mib(), idle, ground.probe.reserved_mib())
    overhead = OVERHEAD[rung.configuration.weights]
    expectation = expected(card, weights_bytes, ground.geometry, knobs, overhead=overhead)
    ground.in_turn.evidence.append(expectation.event())
    sampler.mark(f"{rung.id}.loading")
    with ground.in_turn.serving(rung.configuration, model, recorded=True) as turn:
        ready = sampler.begin(f"{rung.id}.ready")
        loading = [sample for sample in sampler.samples() if sample.t >= sampler.phase_start(f"{rung.id}.loading")]
        endpoint = Endpoint.of(turn.server)
        requests, prompt_tokens, answer_tokens = _long_requests(expectation.kv_tokens)
        prompts = size_prompts(endpoint, prompt_tokens)
        sampler.mark(f"{rung.id}.filling")
        filled = fill_cache(endpoint, prompts, requests, answer_tokens, FILL_DEADLINE_S)
        burst(endpoint, SETTLING_REQUESTS, CONCURRENCY)
        settled = sampler.begin(f"{rung.id}.requests")
        burst(endpoint, LEAK_REQUESTS, CONCURRENCY)
        after_requests = sampler.begin(f"{rung.id}.at_rest")
        peak = sampler.peak_mib(since_phase=f"{rung.id}.ready")
        cache = turn.cache(ground.geometry, knobs)
        if rung.killed:
            os.kill(_listening(turn.server), signal.SIGKILL)
    sampler.mark(f"{rung.id}.stopped")
    release = wait_released(sampler.last_mib, idle)
    memory = {
        "idle": idle,
        "loaded": before_largest_step(loading),
        "ready": ready,
        "peak": peak,
        "settled": settled,
        "after_requests": after_requests,
        "model": expectation.ready_mib,
        "model_limit": expectation.ready_limit_mib,
        "model_free": expectation.terms["free"],
    }
    row = {
        **rung.fields,
        **{f"{name}_mib": round(mib) for name, mib in memory.items()},
        **release.row(),
        "model_parts_mib": {part: round(mib) for part, mib in expectation.parts.items()},
        "kv_mib": None if cache.mib is None else round(cache.mib),
        "kv_tokens": cache.tokens,
        "kv_tokens_model": expectation.kv_tokens,
        "kv_tokens_held": filled.tokens,
        "kv_usage_when_held": filled.usage,
        "kv_tokens_by_usage": filled.capacity,
        "start_seconds": turn.server.started_seconds,
    }
    return Climbed(rung, expectation, release, cache, filled, row)


def _long_requests(kv_tokens: int) -> tuple[int, int, int]:
    """How many requests, of how many tokens of prompt and of answer each, fill a cache of so many tokens as meant."""
    requests = max(1, math.ceil(FILL_SHARE * kv_tokens / PROMPT_TOKENS))
    prompt = int(FILL_SHARE * kv_tokens / requests)
    return requests, prompt, int((HELD_SHARE - FILL_SHARE) * kv_tokens / requests)


def _listening(server: RunningServer) -> int:
    """Find the process that listens for the server, not the guard above it: the start made sure that it is ours."""
    pid = listener(server.host, server.port, (found.pid for found in descendants(os.getpid())))
    assert pid is not None
    return pid
