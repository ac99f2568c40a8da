"""What a server says of its own tokens: sampled replies with the log-probabilities of the likeliest tokens."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from fixtures.ask import filler
from fixtures.client.answer import an_object, objects

WHOLE: Final = (12, 25)
REHEARSED: Final = (6, 12)
"""Replies, and tokens of each: many short ones say more than few long ones, since what is wrong in a cache stays in it.
A CPU engine adds no noise, and needs fewer."""
TOP: Final = 20
"""The most that the API tells of one token."""
CONCURRENCY: Final = 4

UNFILTERED: Final[Mapping[str, Any]] = {
    "temperature": 1.0,
    "top_p": 1.0,
    "top_k": 40,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "ignore_eos": True,
    "skip_special_tokens": False,
}
"""Probabilities as the model has them. What TurboMind tells is normalized over the `top_k`, so only ratios are used."""

Post = Callable[[dict[str, Any]], Any]
"""Sends a chat completion's body without the model's name, and returns the answer's."""


@dataclass(frozen=True)
class Reply:
    """A reply as the server told it. `tokens` and the keys of `top` are the tokenizer's own names of its tokens; `top`
    has the natural logarithms of the probabilities of each token and of its rivals."""

    messages: Sequence[Mapping[str, str]]
    prompt_tokens: int
    tokens: Sequence[str]
    top: Sequence[Mapping[str, float]]


def prompts(seed: str, count: int) -> list[str]:
    """Draw texts of a few sentences, Chinese and English in turn; another seed draws others."""
    rng = Random(seed)
    return ["".join(rng.sample((filler.ZH, filler.EN)[number % 2], 2 + number % 3)) for number in range(count)]


def told(messages: Sequence[Mapping[str, str]], body: Any) -> Reply:
    """Read a reply from an answer; without log-probabilities it has no tokens."""
    choice = next(iter(objects(an_object(body).get("choices"))), {})
    tokens = objects(an_object(choice.get("logprobs")).get("content"))
    top = [{one["token"]: one["logprob"] for one in (token, *objects(token.get("top_logprobs")))} for token in tokens]
    used = an_object(an_object(body).get("usage")).get("prompt_tokens")
    return Reply(messages, int(used or 0), [token["token"] for token in tokens], top)


def replies(post: Post, seed: str, count: int = WHOLE[0], tokens: int = WHOLE[1]) -> list[Reply]:
    """Ask for replies, several at a time. Raises what `post` raises."""

    def one(numbered: tuple[int, str]) -> Reply:
        messages = [{"role": "user", "content": numbered[1]}]
        how = {"max_tokens": tokens, "logprobs": True, "top_logprobs": TOP, "seed": numbered[0], **UNFILTERED}
        return told(messages, post({"messages": messages, **how}))

    with ThreadPoolExecutor(CONCURRENCY, thread_name_prefix="fidelity") as pool:
        return list(pool.map(one, enumerate(prompts(seed, count))))
