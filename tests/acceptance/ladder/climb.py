"""Climb the ladder: start each rung's server, measure its memory idle, loaded, ready, under load and after its end."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from xprocess import XProcess

from fixtures.ask.load import Endpoint, burst, fill_cache, size_prompts
from fixtures.errors import ServerError
from fixtures.evidence import Evidence
from fixtures.gpu.ballast import CONTEXT_MIB, ballast
from fixtures.gpu.kv_capacity import LOG_ENVIRONMENT, read_log
from fixtures.gpu.memory_model import OVERHEAD, Card, Geometry, expected
from fixtures.gpu.probe import Probe
from fixtures.gpu.sampler import Sampler, wait_released
from fixtures.homework import MODEL_NAME
from fixtures.lmdeploy.capabilities import Capabilities
from fixtures.lmdeploy.commands import ServeCommand, lmdeploy_program, serve_command
from fixtures.process.guard import descendants
from fixtures.process.port import free_port, listener
from fixtures.run.settings import Settings
from fixtures.run.units import GIB_IN_MIB, MIB
from fixtures.server.api_server import RunningServer, serve
from tests.acceptance.ladder.events import RungClimbed, StartFailed
from tests.acceptance.ladder.rungs import HOMEWORK, Climbed, FailedStart, Rung, before_largest_step

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

CROWD_MIB: Final = 2048
"""What the second process holds."""


@dataclass(frozen=True)
class Ground:
    """What every rung stands on: the GPU, its sampler, and how servers are started in this run."""

    probe: Probe
    sampler: Sampler
    settings: Settings
    table: Capabilities
    xprocess: XProcess
    evidence: Evidence
    geometry: Geometry
    api_key: str = field(repr=False)


def climb(ground: Ground, rung: Rung, model: Path, weights_bytes: int) -> Climbed:
    """Measure one rung. Its server is gone afterwards, whatever happens.

    :param model: folder of the checkpoint with this rung's weights.
    :raises AcceptanceError: the server does not start, dies, refuses a request, or memory cannot be measured.
    """
    with _card(ground, rung):
        climbed = _climb(ground, rung, model, weights_bytes)
    ground.evidence.append(RungClimbed(climbed.row()))
    return climbed


def fail_to_start(ground: Ground, rung: Rung, model: Path, weights_bytes: int) -> FailedStart:
    """Start a server that cannot start, and see what is said of it and whether its memory comes back.

    :raises GpuError: memory cannot be measured or held back.
    """
    sampler = ground.sampler
    with _card(ground, rung):
        sampler.mark(f"{rung.id}: idle")
        idle = sampler.phase_mib(f"{rung.id}: idle")
        error, began = "", time.monotonic()
        try:
            with _serving(ground, rung, model, start_timeout=FAILING_START_TIMEOUT_S):
                pass
        except ServerError as failure:
            error = str(failure)
        seconds = round(time.monotonic() - began, 3)
        peak = sampler.peak_mib(since_phase=f"{rung.id}: idle")
        sampler.mark(f"{rung.id}: failed")
        release = wait_released(sampler.last_mib, idle)
    failed = FailedStart(rung, weights_bytes / MIB, idle, peak, seconds, error, release)
    ground.evidence.append(StartFailed(failed.facts()))
    return failed


@contextmanager
def _card(ground: Ground, rung: Rung) -> Iterator[None]:
    """The card that the rung is to find: another process holds what is too much."""
    if rung.card_gib is None:
        yield
        return
    free = ground.probe.total_mib() - ground.probe.reserved_mib() - ground.sampler.last_mib()
    with ballast(round(free - rung.card_gib * GIB_IN_MIB - CONTEXT_MIB)):
        yield


def _climb(ground: Ground, rung: Rung, model: Path, weights_bytes: int) -> Climbed:
    sampler = ground.sampler
    sampler.mark(f"{rung.id}: idle")
    idle = sampler.phase_mib(f"{rung.id}: idle")
    card = Card(ground.probe.total_mib(), idle, ground.probe.reserved_mib())
    expectation = expected(card, weights_bytes, ground.geometry, rung.knobs, overhead=OVERHEAD[rung.weights])
    ground.evidence.append(expectation.event())
    sampler.mark(f"{rung.id}: loading")
    with _serving(ground, rung, model) as server:
        sampler.mark(f"{rung.id}: ready")
        ready = sampler.phase_mib(f"{rung.id}: ready")
        loading = [sample for sample in sampler.samples() if sample.t >= sampler.phase_start(f"{rung.id}: loading")]
        endpoint = Endpoint(server.host, server.port, server.model_name, server.api_key)
        requests, prompt_tokens, answer_tokens = _long_requests(expectation.kv_tokens)
        prompts = size_prompts(endpoint, prompt_tokens)
        sampler.mark(f"{rung.id}: long prompts")
        filled = fill_cache(endpoint, prompts, requests, answer_tokens, FILL_DEADLINE_S)
        burst(endpoint, SETTLING_REQUESTS, CONCURRENCY)
        sampler.mark(f"{rung.id}: {LEAK_REQUESTS} requests")
        settled = sampler.phase_mib(f"{rung.id}: {LEAK_REQUESTS} requests")
        burst(endpoint, LEAK_REQUESTS, CONCURRENCY)
        sampler.mark(f"{rung.id}: at rest")
        after_requests = sampler.phase_mib(f"{rung.id}: at rest")
        peak = sampler.peak_mib(since_phase=f"{rung.id}: ready")
        crowded = _crowded(sampler, rung) if rung is HOMEWORK else None
        log = server.log.read_text(encoding="utf-8", errors="replace")
        if rung.killed:
            os.kill(_listening(server), signal.SIGKILL)
    sampler.mark(f"{rung.id}: stopped")
    release = wait_released(sampler.last_mib, idle)
    return Climbed(
        rung=rung,
        expectation=expectation,
        idle_mib=idle,
        loaded_mib=before_largest_step(loading),
        ready_mib=ready,
        peak_mib=peak,
        settled_mib=settled,
        after_requests_mib=after_requests,
        crowded_mib=crowded,
        release=release,
        cache=read_log(log, ground.geometry, rung.knobs),
        filled=filled,
        start_seconds=server.started_seconds,
        samples=[sample for sample in sampler.samples() if sample.t >= sampler.phase_start(f"{rung.id}: idle")],
    )


def _serving(
    ground: Ground, rung: Rung, model: Path, start_timeout: float | None = None
) -> AbstractContextManager[RunningServer]:
    settings = replace(ground.settings, tp=1, backend="turbomind")
    return serve(
        ground.xprocess,
        rung_command(settings, ground.table, ground.api_key, rung, model),
        run_id=ground.evidence.folder.name,
        start_timeout=start_timeout or settings.start_timeout,
        stop_timeout=settings.stop_timeout,
        evidence=ground.evidence,
    )


def rung_command(settings: Settings, table: Capabilities, api_key: str, rung: Rung, model: Path) -> ServeCommand:
    """A rung's server, on loopback and a free port, with a log that tells how large its KV cache is.

    :param model: folder of the checkpoint with this rung's weights.
    """
    settings = replace(
        settings, cache_max_entry_count=rung.share, quant_policy=rung.quant_policy, server_name="127.0.0.1"
    )
    command = serve_command(
        lmdeploy_program(rehearse=settings.rehearse),
        model,
        MODEL_NAME,
        rung.model_format,
        free_port(settings.server_name),
        settings,
        table,
        api_key,
    )
    return replace(command, env={**command.env, **LOG_ENVIRONMENT})


def _long_requests(kv_tokens: int) -> tuple[int, int, int]:
    """How many requests, of how many tokens of prompt and of answer each, fill a cache of so many tokens as meant."""
    requests = max(1, math.ceil(FILL_SHARE * kv_tokens / PROMPT_TOKENS))
    prompt = int(FILL_SHARE * kv_tokens / requests)
    return requests, prompt, int((HELD_SHARE - FILL_SHARE) * kv_tokens / requests)


def _crowded(sampler: Sampler, rung: Rung) -> float:
    with ballast(CROWD_MIB):
        sampler.mark(f"{rung.id}: with another process")
        return sampler.last_mib()


def _listening(server: RunningServer) -> int:
    """The process that listens for the server, not the guard above it: `serve` has made sure that it is ours."""
    pid = listener(server.host, server.port, (found.pid for found in descendants(os.getpid())))
    assert pid is not None
    return pid
