"""Compute on the CPU what lmdeploy's two engines make of a model through their int8 KV caches, and write
docs/records/kv-int8-emulated.json.

    python -m tools.kv_emulated MODEL_DIR

The model runs in bf16 with every key and value rounded on its way into the cache: as TurboMind does it, as the PyTorch
engine does it, and as TurboMind would with one of its steps in float32. The questions are those of `tools.kv_int8`,
rendered as lmdeploy renders them. It takes an hour of two processors for a model of 1.5 B parameters.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.cache_utils import DynamicCache

from fixtures.client.tools import TOOLS
from fixtures.homework import SAMPLING
from tools.kv_questions import LONGEST, QUESTIONS, Question, right, share
from tools.records import RECORDS, head_now, write

STEPS: Final = ("scale", "inverse", "difference", "product")
"""What TurboMind rounds to the model's dtype on the way to a code, in this order."""

CALL: Final = re.compile(r"<tool_call>\s*(\{.*?\})\s*</tool_call>", re.DOTALL)
TRIALS: Final = 2
"""Sampled replies to each question."""

OPENINGS: Final = ("", "<tool_call>\n{\n", "```xml\n")
"""How the replies begin that all schemes are compared on: as the model likes, and in two ways that it takes often."""

Rounding = Callable[[int, Tensor], Tensor]
"""From a layer's number and its keys or values, (..., head_dim), to what the cache gives back."""


def turbomind(states: Tensor, bits: int, dtype: torch.dtype, exact: Sequence[str] = ()) -> Tensor:
    """`states` after TurboMind's cache (`fixtures.rehearsal.kv_int4.fake_quantize`), with some of STEPS in float32."""

    def rounded(step: str, value: Tensor) -> Tensor:
        return value if step in exact else value.to(dtype).float()

    levels, stored = 2**bits - 1, states.to(dtype).float()
    zero, high = stored.aminmax(dim=-1, keepdim=True)
    scale = rounded("scale", (high - zero) / levels)
    product = rounded("product", rounded("difference", stored - zero) * rounded("inverse", 1 / scale))
    return (product.round().clamp(0, levels) * scale + zero).to(dtype).to(states.dtype)


def pytorch(states: Tensor, bits: int, dtype: torch.dtype) -> Tensor:
    """`states` after the PyTorch engine's cache: codes from float32, but scale and zero point are kept in `dtype`, and
    restored with a multiply-add, which Triton fuses (lmdeploy, `pytorch/kernels/cuda/fill_kv_cache.py` and
    `flatten_kv_cache.py`)."""

    def kept(value: Tensor) -> Tensor:
        return value.to(dtype).float()

    stored = kept(states)
    low, high = stored.aminmax(dim=-1, keepdim=True)
    scale = kept(high - low) / (2**bits - 1)
    zero = -low / scale
    codes = (stored / scale + zero + 0.5).clamp(0, 2**bits - 1).floor()
    return kept(codes * kept(scale) - kept(kept(scale) * kept(zero))).to(states.dtype)


def everywhere(rounding: Callable[..., Tensor], bits: int = 8, dtype: torch.dtype = torch.bfloat16, **how: Any) -> Any:
    """Keys and values of all layers alike."""

    def both(_: int, states: Tensor) -> Tensor:
        return rounding(states, bits, dtype, **how)

    return both, both


def _same(_: int, states: Tensor) -> Tensor:
    return states


INT8, _ = everywhere(turbomind)

SCHEMES: Final[Mapping[str, tuple[Rounding, Rounding]]] = {
    "none": (_same, _same),
    "turbomind": everywhere(turbomind),
    "pytorch": everywhere(pytorch),
    "turbomind, float16": everywhere(turbomind, dtype=torch.float16),
    **{f"turbomind, {step} in float32": everywhere(turbomind, exact=(step,)) for step in STEPS},
    "turbomind, code in float32": everywhere(turbomind, exact=STEPS[1:]),
    "turbomind, all in float32": everywhere(turbomind, exact=STEPS),
    "turbomind, keys alone": (INT8, _same),
    "turbomind, values alone": (_same, INT8),
    "turbomind, keys of layer 0 alone": (lambda layer, keys: keys if layer else INT8(layer, keys), _same),
    "turbomind, all but the keys of layer 0": (lambda layer, keys: INT8(layer, keys) if layer else keys, INT8),
    "turbomind, int4": everywhere(turbomind, bits=4),
    "turbomind, int4, code in float32": everywhere(turbomind, bits=4, exact=STEPS[1:]),
}
SAMPLED: Final = ("none", "turbomind", "turbomind, code in float32", "turbomind, float16", "pytorch")


class RoundedCache(DynamicCache):
    """Keys and values as a rounding leaves them. `seen` are the keys of each layer as they came."""

    def __init__(self, keys: Rounding, values: Rounding) -> None:
        super().__init__()
        self._roundings = keys, values
        self.seen: dict[int, Tensor] = {}

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, cache_kwargs: Any = None
    ) -> tuple[Tensor, Tensor]:
        """Round what comes, and return all to attend to."""
        self.seen.setdefault(layer_idx, key_states)
        keys, values = self._roundings
        found: tuple[Tensor, Tensor] = super().update(
            keys(layer_idx, key_states), values(layer_idx, value_states), layer_idx, cache_kwargs
        )
        return found


class Asked:
    """Questions put to a model all at once: what they have in common is computed once, the rest stands to the right of
    it, padded to one length."""

    def __init__(self, model: Any, tokenizer: Any, questions: Sequence[Question], opening: str = "") -> None:
        self.tokenizer, self.model = tokenizer, model
        prompts = [self.tokenizer(self._prompt(question) + opening).input_ids for question in questions]
        self.shared = next(at for at, column in enumerate(zip(*prompts, strict=False)) if len(set(column)) > 1)
        self.prefix = torch.tensor(prompts[:1])[:, : self.shared]
        longest = max(map(len, prompts))
        own = [[None] * (longest - len(prompt)) + prompt[self.shared :] for prompt in prompts]
        self.mask = torch.tensor([[token is not None for token in row] for row in own]).long()
        self.rest = torch.tensor([[token or 0 for token in row] for row in own])

    def _prompt(self, question: Question) -> str:
        # lmdeploy hands the function without its wrapper to the template, with its fields in this order.
        offered = [
            {field: tool["function"][field] for field in ("description", "name", "parameters")} for tool in TOOLS
        ]
        turns = [{"role": "user", "content": question.text}]
        return str(self.tokenizer.apply_chat_template(turns, tools=offered, add_generation_prompt=True, tokenize=False))

    @cached_property
    def ends(self) -> Tensor:
        """Tokens that end a reply."""
        end = self.model.generation_config.eos_token_id
        return torch.tensor(end if isinstance(end, list) else [end])

    def begun(self, scheme: str) -> RoundedCache:
        """Compute the common beginning."""
        cache = RoundedCache(*SCHEMES[scheme])
        self.model(self.prefix, past_key_values=cache, logits_to_keep=1)
        return cache

    def logits(self, cache: RoundedCache, tokens: Tensor, mask: Tensor, kept: int) -> Tensor:
        """Compute the last `kept` positions' logits, (questions, kept, vocabulary); `mask` is of all but the common
        beginning."""
        whole = torch.cat([torch.ones(len(mask), self.shared, dtype=torch.long), mask], 1)
        places = (whole.cumsum(1) - 1)[:, -tokens.shape[1] :]
        found = self.model(
            tokens, past_key_values=cache, attention_mask=whole, position_ids=places, logits_to_keep=kept
        )
        logits: Tensor = found.logits.float()
        return logits

    def replies(self, scheme: str, pick: Callable[[Tensor], Tensor]) -> Tensor:
        """Generate a reply to each question, (questions, tokens), every token picked from (questions, vocabulary)."""
        cache, tokens, mask = self.begun(scheme), self.rest, self.mask
        cache.batch_repeat_interleave(len(mask))
        written: list[Tensor] = []
        while len(written) < LONGEST:
            written.append(pick(self.logits(cache, tokens, mask, 1)[:, 0]))
            if all(torch.isin(row, self.ends).any() for row in torch.stack(written, 1)):
                break
            tokens = written[-1].unsqueeze(1)
            mask = torch.cat([mask, torch.ones_like(tokens)], 1)
        return torch.stack(written, 1)

    def chances(self, scheme: str, replies: Tensor) -> Tensor:
        """Log-probabilities at each token of the given replies, (questions, tokens, vocabulary)."""
        cache = self.begun(scheme)
        cache.batch_repeat_interleave(len(replies))
        tokens, count = torch.cat([self.rest, replies[:, :-1]], 1), replies.shape[1]
        mask = torch.cat([self.mask, torch.ones_like(replies[:, :-1])], 1)
        return self.logits(cache, tokens, mask, count).log_softmax(-1)

    def texts(self, replies: Tensor) -> list[str]:
        """The words of replies, each up to its end."""
        rows = [row.tolist()[: self.lengths(replies)[at] - 1] for at, row in enumerate(replies)]
        return list(self.tokenizer.batch_decode(rows))

    def lengths(self, replies: Tensor) -> list[int]:
        """Tokens of each reply, with the one that ends it."""
        ended = torch.isin(replies, self.ends)
        return [int(row.int().argmax()) + 1 if row.any() else len(row) + 1 for row in ended]


def sampled(generator: torch.Generator, logits: Tensor) -> Tensor:
    """Draw a token of each row with the homework's temperature and top_p."""
    chances, order = (logits / SAMPLING.temperature).softmax(-1).sort(-1, descending=True)
    chances = chances.where(chances.cumsum(-1) - chances < SAMPLING.top_p, 0)
    return order.gather(1, torch.multinomial(chances, 1, generator=generator))[:, 0]


def called(question: Question, text: str) -> dict[str, Any]:
    """Judge a reply as the server's parser would hand it on."""
    calls = []
    for found in CALL.findall(text):
        try:
            call = json.loads(found)
            calls.append({"function": {"name": call["name"], "arguments": json.dumps(call["arguments"])}})
        except (ValueError, LookupError):
            calls.append({})
    return {"kind": question.kind, "right": right(question, calls), "prompt": question.text, "text": text}


def keys(cache: RoundedCache) -> list[dict[str, float]]:
    """For each layer the widest range of one token's key in one head, the int8 step of that, and the median of |k|."""
    ranges = {layer: (found.float().amax(-1) - found.float().amin(-1)).max() for layer, found in cache.seen.items()}
    return [
        {
            "layer": layer,
            "range": round(float(ranges[layer]), 2),
            "step": round(float(ranges[layer]) / 255, 4),
            "median": round(float(found.float().abs().median()), 3),
        }
        for layer, found in cache.seen.items()
    ]


def apart(own: Tensor, other: Tensor, lengths: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Compare a scheme's chances with those without a quantized cache: for each token of all replies the divergence in
    nats, and whether another token is the likeliest."""
    inside = torch.arange(own.shape[1]).unsqueeze(0) < torch.tensor(lengths).unsqueeze(1)
    return (other.exp() * (other - own)).sum(-1)[inside], (own.argmax(-1) != other.argmax(-1))[inside]


def trials(asked: Asked, scheme: str) -> list[dict[str, Any]]:
    """Sample replies to every question and judge them."""
    picks = [partial(sampled, torch.Generator().manual_seed(trial)) for trial in range(TRIALS)]
    texts = [text for pick in picks for text in asked.texts(asked.replies(scheme, pick))]
    return [called(question, text) for question, text in zip(TRIALS * QUESTIONS, texts, strict=True)]


def main(arguments: Sequence[str]) -> None:
    """The program."""
    parser = argparse.ArgumentParser(prog="python -m tools.kv_emulated", description="int8 KV caches on the CPU")
    parser.add_argument("model", type=Path, metavar="MODEL_DIR")
    given = parser.parse_args(arguments)
    tokenizer = AutoTokenizer.from_pretrained(given.model)  # type: ignore[no-untyped-call]
    model = AutoModelForCausalLM.from_pretrained(given.model, dtype=torch.bfloat16)
    openings = [Asked(model, tokenizer, QUESTIONS, opening) for opening in OPENINGS]
    record: dict[str, Any] = head_now(f"python -m tools.kv_emulated {given.model.name}")
    with torch.inference_mode():
        record["keys"] = keys(openings[0].begun("none"))
        record["schemes"] = {}
        references = []
        for asked in openings:
            replies = asked.replies("none", partial(torch.argmax, dim=-1))
            references.append((asked, replies, asked.chances("none", replies), asked.lengths(replies)))
        for name in SCHEMES:
            found = [apart(asked.chances(name, replies), other, ends) for asked, replies, other, ends in references]
            divergence, moved = (torch.cat(parts) for parts in zip(*found, strict=True))
            told: dict[str, Any] = {
                "kl_mean": round(float(divergence.mean()), 5),
                "kl_max": round(float(divergence.max()), 4),
                "other_tokens": int(moved.sum()),
                "tokens": len(moved),
            }
            if name in SAMPLED:
                judged = trials(openings[0], name)
                told["right"] = share(judged)
                told["wrong"] = [[one["prompt"], one["text"]] for one in judged if not one["right"]]
            record["schemes"][name] = told
            print(name, json.dumps(told, ensure_ascii=False), flush=True)
            write(RECORDS / "kv-int8-emulated.json", record)


if __name__ == "__main__":
    main(sys.argv[1:])
