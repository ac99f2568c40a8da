"""The order in which the homework's claims are decided."""

from __future__ import annotations

from fixtures.claims import HOMEWORK
from fixtures.markers import as_decided


def test_the_story_is_decided_behind_the_calls_and_before_the_memory_that_both_took() -> None:
    order = as_decided()
    assert sorted(order) == sorted(claim.id for claim in HOMEWORK)
    parts = [id_.partition(".")[0] for id_ in order]
    assert list(dict.fromkeys(parts)) == ["environment", "quantization", "server", "tools", "chat", "vram"]
