"""What a run of the quality comparison records."""

from dataclasses import dataclass

from fixtures.evidence.events import Event, Json


@dataclass(frozen=True)
class QualityAsked(Event):
    """The fixed text as the checkpoint's tokenizer cuts it. A passage or prompt belongs to a part, such as `stories`.

    `passages` are `[part, predicted tokens]` for each passage whose loss is measured, `prompts` are `[part, next token
    of the text]` for each prompt whose greedy next token is asked for; `trials` how many two-step chains are tried."""

    fingerprint: str
    passages: list[list[Json]]
    prompts: list[list[Json]]
    trials: int


@dataclass(frozen=True)
class QualityMeasured(Event):
    """What one way of serving the checkpoint answered, in the order of :class:`QualityAsked`.

    `losses` are nats per token, a list for each asking, `next_tokens` token ids likewise; `right` says of each chain
    whether it was. `vram_mib` and `kv_tokens` are None where there is no GPU."""

    name: str
    argv: list[str]
    losses: list[list[float]]
    next_tokens: list[list[int]]
    right: list[bool]
    vram_mib: int | None
    kv_tokens: int | None
    start_seconds: float
    seconds: float
