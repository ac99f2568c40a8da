"""Made-up measurements of servers under load. Nothing in here was measured."""

from __future__ import annotations

from tests.acceptance.ladder.rungs import HALF_SHARE, HOMEWORK, INT4_KV, Rung
from tests.acceptance.performance.agreement import Agreement
from tests.acceptance.performance.formulas import Timing, figures
from tests.acceptance.performance.generator import Sent
from tests.acceptance.performance.plugin import Answered, Held, Measured
from tests.acceptance.performance.reference import Profile
from tests.acceptance.performance.workloads import Load

TOKENS = 4
LOADS = (Load(2, concurrency=1), Load(32, concurrency=32), Load(4, rate=4.0))


def answered(load: Load, gap: float = 0.01, tokens: int = TOKENS, error: str = "", cpu: float = 0.1) -> Answered:
    """Every request sent at its time, the first piece after 50 ms."""
    timings = []
    for number in range(load.requests):
        sent = load.times()[number] if load.rate else float(number // (load.concurrency or 1))
        pieces = tuple(sent + 0.05 + gap * piece for piece in range(TOKENS))
        timings.append(Timing(sent, pieces, pieces[-1], tokens, error if number == 1 else ""))
    return Answered(load, Sent(tuple(timings), cpu), figures(timings))


def measured(rung: Rung = HOMEWORK, at_once: int | None = 40, asked: int = 40, **change: float | int | str) -> Measured:
    """A rung with three loads; `change` goes to each of them."""
    return Measured(
        rung=rung,
        argv=("lmdeploy", "serve", "api_server", rung.id),
        start_seconds=20.5,
        prompt_tokens=256,
        answer_tokens=TOKENS,
        answered=tuple(answered(load, **change) for load in LOADS),  # type: ignore[arg-type]
        held=None if at_once is None else Held(asked, at_once, 0.4, 31.5),
        agreement=Agreement((Profile(0.02, 1000.0, 8.0),), (Profile(0.0204, 990.0, 8.1),))
        if rung is HOMEWORK
        else None,
    )


def servers(bf16: int | None = 40, int4: int | None = 150) -> dict[str, Measured]:
    """The three of them."""
    return {
        HALF_SHARE.id: measured(HALF_SHARE, bf16),
        INT4_KV.id: measured(INT4_KV, int4, asked=150),
        HOMEWORK.id: measured(HOMEWORK, int4, asked=150),
    }
