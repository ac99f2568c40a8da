"""Put servers under the same loads, warm; where there is a GPU, fill their caches."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from fixtures.ask.load import Endpoint, Prompts, burst, size_prompts
from fixtures.gpu.memory_model import Geometry
from fixtures.server.in_turn import BF16, BF16_INT4, HOMEWORK, Configuration, InTurn, Turn
from tests.acceptance.performance.checks import body, compared, drawn
from tests.acceptance.performance.events import PerformanceMeasured
from tests.acceptance.performance.formulas import figures
from tests.acceptance.performance.generator import Sent, send, send_alone
from tests.acceptance.performance.reference import compare
from tests.acceptance.performance.workloads import GPU, REHEARSAL, Load, Workload

SERVED: Final = (BF16, BF16_INT4, HOMEWORK)
"""At the homework's share: each differs from the one before in one thing."""

WARM_UP_AT_ONCE: Final = 16

AGREEMENT: Final = Load(400, concurrency=8)
AGREEMENT_ANSWER_TOKENS: Final = 32
AGREEMENT_ROUNDS: Final = 7
"""Of each generator in turn; the medians are compared. Eight users with answers of one length fall into step and out of
it again, and wait for their first tokens twice as long in step. 64 requests with answers of 128 tokens are eight such
turns: in three rounds the mean time to the first token of one and the same server was once 1 % apart and once 12 %.
These are fifty turns a round, in twice the time."""

CONTEXT_TOKENS: Final = 8192
"""Of each long request at its end, when the largest concurrency is shown."""
HELD_ANSWER_TOKENS: Final = 2560
"""Of them for the answer. The api_server tokenizes prompts one after the other and lets in about ten of this length a
second, while those that answer already go on, a token every few milliseconds: with 512 tokens for the answer the first
had ended long before the cache was full."""
HELD_SHARE: Final = 0.95
"""Of the cache, by all of them at their ends: the last block of each is seldom full, and beyond the cache the engine
would drop requests to make room."""
HELD_TIMEOUT_S: Final = 300.0
"""For one of them, from its sending on: the last is let in when all others are."""

Row = dict[str, Any]
"""A server as measured: what is recorded of it, and what its claims are judged by."""


def measure(in_turn: InTurn, configuration: Configuration, model: Path, geometry: Geometry | None) -> Row:
    """Put one server under load, and record it. It is gone afterwards, whatever happens.

    :param model: folder of the checkpoint with this configuration's weights.
    :param geometry: None where the cache is not to be filled: without a GPU, or for another model than the 1.8B, of
        which a cache holds too much.
    :raises AcceptanceError: the server does not start, dies, or refuses a request.
    :raises ValueError: it answers none of a load.
    """
    workload = REHEARSAL if in_turn.settings.rehearse else GPU
    timeout = in_turn.settings.request_timeout
    with in_turn.serving(configuration, model) as turn, in_turn.progress.stage(configuration.id) as on_line:
        endpoint = Endpoint.of(turn.server)
        prompts = size_prompts(endpoint, workload.prompt_tokens)
        burst(endpoint, workload.warm_up, WARM_UP_AT_ONCE)
        answered, checks = put_under(endpoint, workload, prompts, timeout, on_line)
        agreement = None
        if geometry and configuration == HOMEWORK:
            asked = sum(load.requests for load in workload.loads)
            agreement = compare(
                endpoint, AGREEMENT, AGREEMENT_ROUNDS, prompts, AGREEMENT_ANSWER_TOKENS, timeout, first=asked
            )
        held = _hold(turn, configuration, geometry) if geometry else None
    row = {
        "name": configuration.id,
        **asdict(configuration),
        "argv": list(turn.argv),
        "start_seconds": turn.server.started_seconds,
        "prompt_tokens": prompts.tokens,
        "answer_tokens": workload.answer_tokens,
        "loads": [load_row(load, sent) for load, sent in zip(workload.loads, answered, strict=True)],
        "checks": checks,
        "held": held,
        "agreement": agreement,
    }
    in_turn.evidence.append(PerformanceMeasured(row, [requests(sent) for sent in answered]))
    return row


def put_under(
    endpoint: Endpoint, workload: Workload, prompts: Prompts, timeout_s: float, on_line: Callable[[str], object]
) -> tuple[list[Sent], Row]:
    """Ask the checks alone and put the server under every load, the checks beside it; what came of both."""
    counts = [load.requests // workload.check_every for load in workload.loads]
    checks = drawn(sum(counts))
    bodies = [body(endpoint, check) for check in checks]
    alone = send_alone(endpoint, bodies[:1], timeout_s)
    unanswered = alone[0][-1]  # then it is not waited for as often as there are checks
    alone = alone * len(bodies) if unanswered else send_alone(endpoint, bodies, timeout_s)
    sent, asked, checked = list[Sent](), 0, 0
    for load, count in zip(workload.loads, counts, strict=True):
        on_line(str(load.name))
        beside = bodies[checked : checked + count]
        sent.append(send(endpoint, load, prompts, workload.answer_tokens, timeout_s, first=asked, beside=beside))
        asked, checked = asked + load.requests, checked + count
    return sent, compared(checks, alone, [raw for one in sent for raw in one.beside])


def load_row(load: Load, sent: Sent) -> Row:
    """What came of a load. Raises ValueError where nothing did."""
    named = {"load": load.name.as_json(), "concurrency": load.concurrency, "rate": load.rate}
    return {**named, **asdict(figures(sent.timings)), "generator_cpu_share": sent.cpu_share}


def requests(sent: Sent) -> list[list[float | None]]:
    """Of every request `[sent, first piece, end, tokens]`, seconds from the load's start."""
    began = min(timing.sent for timing in sent.timings)

    def since(moment: float | None) -> float | None:
        return None if moment is None else round(moment - began, 5)

    return [
        [since(one.sent), since(next(iter(one.pieces), None)), since(None if one.error else one.ended), one.tokens]
        for one in sent.timings
    ]


def _hold(turn: Turn, configuration: Configuration, geometry: Geometry) -> Row:
    """Send as many long requests at once as the cache holds. One that was dropped to make room for others is silent
    until those end."""
    endpoint = Endpoint.of(turn.server)
    asked = int(HELD_SHARE * turn.cache(geometry, configuration.knobs()).tokens / CONTEXT_TOKENS)
    prompts = size_prompts(endpoint, CONTEXT_TOKENS - HELD_ANSWER_TOKENS)
    sent = send(endpoint, Load(asked, concurrency=asked), prompts, HELD_ANSWER_TOKENS, HELD_TIMEOUT_S)
    found = figures(sent.timings)
    seen = {"at_once": found.at_once, "longest_gap_s": found.longest_gap_s, "seconds": found.seconds}
    return {"context_tokens": CONTEXT_TOKENS, "asked": asked, **seen}
