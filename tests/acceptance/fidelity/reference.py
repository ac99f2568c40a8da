"""Score what servers said of their tokens by a reference: `python -m tests.acceptance.fidelity.reference JOB RESULT`.

JOB is JSON: `weights`, folders by name, of which the last one's template rendered the prompts; `servers`, for each its
replies (`asking.Reply`). RESULT is an npz with residuals and rounding for each server, weights and cache. The process
is one of its own, so that its memory ends with it.

The reference is the model in float32 with keys and values as TurboMind's cache gives them back, one pass over prompt
and reply. The same in the server's dtype tells how far rounding alone moves a logit under that very cache.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from transformers import AutoTokenizer

from fixtures.rehearsal.checkpoint import load
from fixtures.rehearsal.kv_int4 import SlotCache, wants_tuples
from fixtures.rehearsal.threads import is_small
from tests.acceptance.fidelity.asking import TOP
from tests.acceptance.fidelity.scoring import bytes_needed
from tests.acceptance.fidelity.statistic import CACHES

BATCH: Final = 16
"""Replies in one pass."""


class Asked:
    """The replies of one server as token ids."""

    def __init__(self, tokenizer: Any, replies: Sequence[Mapping[str, Any]]) -> None:
        self.prompts = [rendered(tokenizer, reply["messages"]) for reply in replies]
        self.tokens = [tokenizer.convert_tokens_to_ids(list(reply["tokens"])) for reply in replies]
        self.same_length = [
            len(prompt) == reply["prompt_tokens"] for prompt, reply in zip(self.prompts, replies, strict=True)
        ]
        told = [top for reply in replies for top in reply["top"]]
        self.owners = [number for number, reply in enumerate(replies) for _ in reply["top"]]
        self.candidates = np.zeros((len(told), TOP), dtype=np.int64)
        self.served = np.full((len(told), TOP), np.nan)
        for row, top in enumerate(told):
            likeliest = sorted(top.items(), key=lambda one: -one[1])[:TOP]
            self.candidates[row, : len(likeliest)] = tokenizer.convert_tokens_to_ids([one for one, _ in likeliest])
            self.served[row, : len(likeliest)] = [chance for _, chance in likeliest]


def rendered(tokenizer: Any, messages: Sequence[Mapping[str, str]]) -> list[int]:
    """Token ids of a prompt as lmdeploy makes them: the template first, then the text without further ends."""
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    ids: list[int] = tokenizer(text, add_special_tokens=False).input_ids
    return ids


def logits(model: Any, asked: Asked, bits: int, dtype: torch.dtype, as_tuples: bool) -> Tensor:
    """Logits of the candidates, (tokens, TOP), of all replies one after another, on the CPU."""
    found, device = [], next(model.parameters()).device
    candidates = torch.from_numpy(asked.candidates).to(device)
    for start in range(0, len(asked.prompts), BATCH):
        rows = range(start, min(start + BATCH, len(asked.prompts)))
        sequences = [asked.prompts[row] + asked.tokens[row][:-1] for row in rows]
        longest = max(map(len, sequences))
        # To the right of what is looked at stands what no token attends to.
        ids = torch.tensor([one + [0] * (longest - len(one)) for one in sequences], device=device)
        cache = SlotCache(model.config.num_hidden_layers, bits, dtype)
        cache.begin_prompt(0, longest, len(rows))
        past = cache.handed_over(as_tuples)
        hidden = model.base_model(input_ids=ids, past_key_values=past, use_cache=True).last_hidden_state
        for row, states in zip(rows, hidden, strict=True):
            begin, own = len(asked.prompts[row]) - 1, [at for at, owner in enumerate(asked.owners) if owner == row]
            if own:
                shown = model.get_output_embeddings()(states[begin : begin + len(own)]).float()
                found.append(shown.gather(1, candidates[own]).cpu())
    return torch.cat(found)


def centred(values: Any) -> Any:
    """Of each token, less their mean: what a normalization adds to all candidates is not looked at."""
    return values - np.nanmean(values, axis=1, keepdims=True)


def device_for(needed: float) -> str:
    """Choose the GPU where so many bytes are free beside what runs there, else the CPU."""
    return "cuda" if torch.cuda.is_available() and torch.cuda.mem_get_info()[0] > needed else "cpu"


def scored(job: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield names and arrays: `<server>/<weights>/<bits>/residual` and `/rounding`, both (tokens, TOP) in nats, NaN
    where there was no candidate; `<server>/owners`, the number of each token's reply; `<server>/same_length`, of each
    reply whether its prompt has as many tokens as the server counted."""
    folders = {name: Path(folder) for name, folder in job["weights"].items()}
    tokenizer = AutoTokenizer.from_pretrained([*folders.values()][-1], trust_remote_code=True)  # type: ignore[no-untyped-call]
    servers = [Asked(tokenizer, replies) for replies in job["servers"]]
    for number, asked in enumerate(servers):
        yield f"{number}/owners", np.array(asked.owners)
        yield f"{number}/same_length", np.array(asked.same_length)
    device = device_for(bytes_needed(*folders.values()))
    if all(map(is_small, folders.values())):
        torch.set_num_threads(1)
    with torch.inference_mode():
        for name, folder in folders.items():
            loaded = load(folder, model_format=None, kv_bits=0, trust_remote_code=True)
            dtype, model = loaded.gpu_dtype, loaded.model
            as_tuples = wants_tuples(model, loaded.config.num_hidden_layers)
            exact: dict[tuple[int, int], Any] = {}
            # Both have the weights as the server has them.
            for computed in (torch.float32, dtype):
                for weight in model.to(device).parameters():
                    weight.data = weight.data.to(dtype).to(computed)
                for number, asked in enumerate(servers):
                    for bits in CACHES:
                        own = np.where(np.isnan(asked.served), np.nan, logits(model, asked, bits, dtype, as_tuples))
                        if computed == torch.float32:
                            exact[number, bits] = own
                            yield f"{number}/{name}/{bits}/residual", centred(asked.served - own)
                        else:
                            yield f"{number}/{name}/{bits}/rounding", centred(own - exact[number, bits])


def main(arguments: Sequence[str]) -> None:
    """The program."""
    job, result = map(Path, arguments)
    arrays = dict(scored(json.loads(job.read_text(encoding="utf-8"))))
    halves = {name: one.astype(np.float16) if one.dtype == float else one for name, one in arrays.items()}
    np.savez_compressed(result, **halves)


if __name__ == "__main__":
    main(sys.argv[1:])
