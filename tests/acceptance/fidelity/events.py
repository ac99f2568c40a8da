"""What is recorded of the tokens: how well each hypothesis explains them."""

from dataclasses import dataclass

from fixtures.evidence.events import Event, Json


@dataclass(frozen=True)
class FidelityScored(Event):
    """`declared` is the title of the configuration that was asked for; `tokens` were scored in `seconds`.
    `same_prompts` says of each reply whether its prompt has as many tokens as the server counted; `hypotheses` have the
    fields of `statistic.Hypothesis`."""

    declared: str
    tokens: int
    seconds: float
    same_prompts: list[bool]
    hypotheses: list[dict[str, Json]]
