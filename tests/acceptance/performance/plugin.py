"""Serve rungs of the ladder in turn and put each under the same loads, warm; where there is a GPU, fill its cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from xprocess import XProcess

from fixtures.ask.load import Endpoint, Prompts, burst, size_prompts
from fixtures.evidence import Evidence
from fixtures.gpu.kv_capacity import read_log
from fixtures.gpu.memory_model import Geometry
from fixtures.lmdeploy.capabilities import Capabilities
from fixtures.run.progress import Progress
from fixtures.run.settings import Settings
from fixtures.server.deployment import started
from tests.acceptance.ladder.climb import rung_command
from tests.acceptance.ladder.rungs import HALF_SHARE, HOMEWORK, INT4_KV, Rung
from tests.acceptance.performance.agreement import Agreement, compare
from tests.acceptance.performance.events import PerformanceMeasured
from tests.acceptance.performance.formulas import Figures, Timing, figures
from tests.acceptance.performance.generator import Sent, send
from tests.acceptance.performance.workloads import (
    AGREEMENT,
    AGREEMENT_ANSWER_TOKENS,
    AGREEMENT_ROUNDS,
    CONTEXT_TOKENS,
    GPU,
    HELD_ANSWER_TOKENS,
    HELD_SHARE,
    HELD_TIMEOUT_S,
    REHEARSAL,
    Load,
    Workload,
)

SERVED: Final = (HALF_SHARE, INT4_KV, HOMEWORK)
"""Of the ladder's rungs at the homework's share: each differs from the one before in one thing."""

WARM_UP_AT_ONCE: Final = 16


@dataclass(frozen=True)
class Ground:
    """What every server stands on.

    :param geometry: None where the largest concurrency is not sought: without a GPU, or for another model than the
        1.8B, of which a cache holds too much to be filled.
    """

    settings: Settings
    table: Capabilities
    geometry: Geometry | None
    evidence: Evidence
    progress: Progress
    xprocess: XProcess
    api_key: str = field(repr=False)

    @property
    def workload(self) -> Workload:
        """A CPU gets less to do."""
        return REHEARSAL if self.settings.rehearse else GPU


@dataclass(frozen=True)
class Answered:
    """A load and what came of it."""

    load: Load
    sent: Sent
    figures: Figures

    def row(self) -> dict[str, Any]:
        """As JSON values."""
        load = {"load": self.load.name, "concurrency": self.load.concurrency, "rate": self.load.rate}
        return {**load, **self.figures.row(), "generator_cpu_share": self.sent.cpu_share}

    def samples(self) -> dict[str, Any]:
        """The requests and the gaps between pieces, as :meth:`Measured.samples` has them."""
        timings = self.sent.timings
        began = min(timing.sent for timing in timings)
        return {
            "requests": [
                [
                    round(timing.sent - began, 5),
                    round(timing.pieces[0] - began, 5) if timing.pieces else None,
                    round(timing.ended - began, 5),
                    timing.tokens,
                    timing.error,
                ]
                for timing in timings
            ],
            "gaps_ms": histogram([gap for timing in timings if not timing.error for gap in timing.gaps]),
        }


@dataclass(frozen=True)
class Held:
    """As many long requests as the cache holds, sent at once.

    :param at_once: of `asked`, the most that had begun to answer and not ended at one moment.
    :param longest_gap_s: between two pieces of the same answer; a request that was dropped to make room is silent until
        others end.
    :param seconds: until the last had ended.
    """

    asked: int
    at_once: int
    longest_gap_s: float
    seconds: float

    def row(self) -> dict[str, Any]:
        """As JSON values."""
        return {"context_tokens": CONTEXT_TOKENS, **asdict(self)}


@dataclass(frozen=True)
class Measured:
    """A server as measured.

    :param held: its cache, full; None where that was not tried.
    :param agreement: None but for the homework's server.
    """

    rung: Rung
    argv: tuple[str, ...]
    start_seconds: float
    prompt_tokens: int
    answer_tokens: int
    answered: tuple[Answered, ...]
    held: Held | None
    agreement: Agreement | None

    def row(self) -> dict[str, Any]:
        """As it stands in the record."""
        return {
            "name": self.rung.id,
            "weights": self.rung.weights,
            "share": self.rung.share,
            "quant_policy": self.rung.quant_policy,
            "argv": list(self.argv),
            "start_seconds": self.start_seconds,
            "prompt_tokens": self.prompt_tokens,
            "answer_tokens": self.answer_tokens,
            "loads": [one.row() for one in self.answered],
            "passed": None if self.held is None else self.held.row(),
            "agreement": None if self.agreement is None else self.agreement.row(),
        }

    def samples(self) -> dict[str, Any]:
        """Of every load the requests as `[sent, first piece, end, tokens, error]`, in seconds from its start; and how
        often each gap between pieces occurred, by tenths of a millisecond."""
        return {one.load.name: one.samples() for one in self.answered}


def measure(ground: Ground, rung: Rung, model: Path) -> Measured:
    """Measure one rung. Its server is gone afterwards, whatever happens.

    :param model: folder of the checkpoint with this rung's weights.
    :raises AcceptanceError: the server does not start, dies, refuses a request, or answers none of a load.
    """
    command = rung_command(ground.settings, ground.table, ground.api_key, rung, model)
    workload = ground.workload
    run_id = f"{ground.evidence.folder.name}-performance"
    with started(ground.xprocess, command, ground.settings, ground.progress, rung.id, run_id) as server:
        endpoint = Endpoint(server.host, server.port, server.model_name, server.api_key)
        prompts = size_prompts(endpoint, workload.prompt_tokens)
        answered: list[Answered] = []
        with ground.progress.stage(f"{rung.id}: load") as on_line:
            on_line("warm up")
            burst(endpoint, workload.warm_up, WARM_UP_AT_ONCE)
            asked = 0
            for load in workload.loads:
                on_line(load.name)
                answered.append(_answered(ground, endpoint, load, prompts, workload.answer_tokens, first=asked))
                asked += load.requests
            agreement = _agreement(ground, endpoint, prompts, asked) if rung is HOMEWORK and ground.geometry else None
            on_line("long requests")
            full = _hold(ground.geometry, endpoint, rung, server.log)
    measured = Measured(
        rung=rung,
        argv=command.shown,
        start_seconds=server.started_seconds,
        prompt_tokens=prompts.tokens,
        answer_tokens=workload.answer_tokens,
        answered=tuple(answered),
        held=full,
        agreement=agreement,
    )
    ground.evidence.append(PerformanceMeasured(measured.row()))
    return measured


def _answered(
    ground: Ground, endpoint: Endpoint, load: Load, prompts: Prompts, answer_tokens: int, first: int
) -> Answered:
    sent = send(endpoint, load, prompts, answer_tokens, ground.settings.request_timeout, first)
    return Answered(load, sent, figures(sent.timings))


def _agreement(ground: Ground, endpoint: Endpoint, prompts: Prompts, first: int) -> Agreement:
    limit = ground.settings.request_timeout
    return compare(endpoint, AGREEMENT, AGREEMENT_ROUNDS, prompts, AGREEMENT_ANSWER_TOKENS, limit, first)


def _hold(geometry: Geometry | None, endpoint: Endpoint, rung: Rung, log: Path) -> Held | None:
    if geometry is None:
        return None
    cache = read_log(log.read_text(encoding="utf-8", errors="replace"), geometry, rung.knobs)
    requests = int(HELD_SHARE * cache.tokens / CONTEXT_TOKENS)
    prompts = size_prompts(endpoint, CONTEXT_TOKENS - HELD_ANSWER_TOKENS)
    sent = send(endpoint, Load(requests, concurrency=requests), prompts, HELD_ANSWER_TOKENS, HELD_TIMEOUT_S)
    return held(sent.timings)


def held(timings: Sequence[Timing]) -> Held:
    """Of the whole answers; one that failed was not held.

    :raises ValueError: no whole answer, or none of more than one piece.
    """
    found = figures(timings)
    longest = max(gap for timing in timings if not timing.error for gap in timing.gaps)
    return Held(len(timings), found.at_once, round(longest, 3), found.seconds)
