"""Text of a wanted length in tokens, without a tokenizer: the server's own count of a sample is the measure."""

from itertools import cycle
from typing import Final

from fixtures.ask.filler import ZH
from fixtures.client.client import Client

SAMPLE: Final = "".join(ZH)
"""All sentences once: a few hundred characters."""


def tokens_per_character(client: Client) -> float:
    """Measure how many tokens a character of the text makes. Raises RequestError as :meth:`Client.ask` does."""
    once, twice = (
        client.ask([{"role": "user", "content": SAMPLE * times}], max_tokens=1, temperature=0).usage["prompt_tokens"]
        for times in (1, 2)
    )
    return float(twice - once) / len(SAMPLE)


def long_text(tokens: int, per_character: float) -> str:
    """Return whole sentences that make `tokens` tokens or a few less."""
    room = int(tokens / per_character)
    sentences: list[str] = []
    for sentence in cycle(ZH):
        room -= len(sentence)
        if room < 0:
            break
        sentences.append(sentence)
    return "".join(sentences)
