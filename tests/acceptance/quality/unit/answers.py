"""A made-up comparison. Nothing in here was measured."""

from __future__ import annotations

from dataclasses import replace

from fixtures.server.in_turn import BF16, HOMEWORK, W4A16
from tests.acceptance.quality.events import QualityAsked, QualityMeasured
from tests.acceptance.quality.result import Quality

PARTS = ("prose-zh", "stories")
PASSAGES = 8
"""Scored passages of each part, 100 to 107 predicted tokens long."""
PROMPTS = 50
"""Prompts of each part; token 7 follows in the text of each."""
TRIALS = 40


def asked() -> QualityAsked:
    return QualityAsked(
        fingerprint="0123456789abcdef",
        passages=[[part, 100 + number] for part in PARTS for number in range(PASSAGES)],
        prompts=[[part, 7] for part in (*PARTS, "dialogues") for _ in range(PROMPTS)],
        trials=TRIALS,
    )


def losses(stories: float, prose: float = 9.0) -> list[float]:
    """Easy and hard passages, the same on every server; `stories` and `prose` are about the mean."""
    return [part + 0.01 * number for part in (prose, stories) for number in range(PASSAGES)]


def next_tokens(changed: int = 0, known: bool = True) -> list[int]:
    """The prose is never known; of the other parts `changed` tokens of each are other ones than the unquantized."""
    right = 7 if known else 3
    per_part = [8] * changed + [right] * (PROMPTS - changed)
    return [3] * PROMPTS + per_part * 2


def server(name: str, loss: float, changed: int = 0, right: int = TRIALS, known: bool = True) -> QualityMeasured:
    return QualityMeasured(
        name=name,
        argv=["lmdeploy", "serve", "api_server", "made-up"],
        losses=[losses(loss)],
        next_tokens=[next_tokens(changed, known)],
        right=[True] * right + [False] * (TRIALS - right),
        vram_mib=None,
        kv_tokens=None,
        start_seconds=20.0,
        seconds=9.0,
    )


def quality(
    w4a16: float = 0.52,
    int4: float = 0.53,
    changed: int = 2,
    right: int = TRIALS,
    known: bool = True,
    again: float = 0.5,
    changed_again: int = 0,
) -> Quality:
    """bf16 at a loss of 0.5 on stories, asked twice, against these."""
    plain = server(BF16.title, 0.5, known=known)
    plain = replace(
        plain,
        losses=[losses(0.5), losses(again)],
        next_tokens=[next_tokens(known=known), next_tokens(changed_again, known)],
    )
    return Quality(
        asked(),
        (
            plain,
            server(W4A16.title, w4a16, changed, right, known),
            server(HOMEWORK.title, int4, changed, right, known),
        ),
    )


def with_memory(found: Quality, *figures: tuple[int, int | None]) -> Quality:
    """The same with VRAM in MiB and KV tokens for each server."""
    pairs = zip(found.measured, figures, strict=True)
    return replace(found, measured=tuple(replace(one, vram_mib=mib, kv_tokens=kv) for one, (mib, kv) in pairs))
