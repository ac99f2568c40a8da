"""Hold what is foretold of a quantized KV cache against what it costs, and write docs/records/kv-range.json.

    python -m tools.kv_range FOLDER...

Each FOLDER is an unquantized checkpoint. The figures of fixtures/model/kv_range.py are held against the keys of a
forward pass, and against the loss in nats per token of prose, of the homework's story and of its tool call, with a
cache of fewer and fewer bits: rounded in float32, and in the model's dtype as fixtures/rehearsal/kv_int4.py has it.
Runs on the CPU in the environment of the rehearsal, with 4 bytes of memory for each weight; the 1.5B takes minutes.
"""

import argparse
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from fixtures.client.tools import TOOLS
from fixtures.homework import ADD_PROMPT, STORY_PROMPT, SYSTEM_PROMPT
from fixtures.lmdeploy.families import Architecture, decoder
from fixtures.model.artefact.tensors import TensorFiles
from fixtures.model.calibration import prose
from fixtures.model.checkpoint import read_config
from fixtures.model.kv_range import LIMIT, Ratios, key_ranges, rounding_noise
from fixtures.rehearsal.checkpoint import Loaded, load
from fixtures.rehearsal.kv_int4 import SlotCache
from tools.records import RECORDS, head_now, write

PROSE_TOKENS: Final = 256
PROSE_CHARACTERS: Final = 8 * PROSE_TOKENS
"""More than the tokens have."""

STORY: Final = (
    "从前，森林边上住着一只狐狸，它最喜欢的水果就是西瓜。一天早上，太阳刚刚升起，狐狸在菜园里看见一个圆圆的西瓜，"
    "高兴得跳了起来。可是西瓜太重了，它推了半天也推不动，只好请老牛来帮忙。老牛把西瓜滚到大树下，小动物们围成一圈，"
    "一人分到一块。狐狸咬了一口，又甜又凉，它笑着说：“原来大家一起吃，西瓜才最甜。”"
)
CALL: Final = {"type": "function", "function": {"name": "add", "arguments": {"a": 3, "b": 5}}}

EXACT: Final = (8, 6, 5, 4, 3)
"""Bits of the caches that are rounded in float32."""

ROUNDED: Final = (8, 4)
"""Bits of those that are rounded as on a GPU."""


@dataclass(frozen=True)
class Sample:
    """Tokens of a text, (1, tokens), of which those from `first` on are foretold."""

    tokens: Tensor
    first: int


class Watched(SlotCache):
    """A cache that also keeps how wide the keys of each head range, by layer: (heads, tokens)."""

    def __init__(self, layers: int, bits: int, dtype: torch.dtype) -> None:
        super().__init__(layers, bits, dtype)
        self.ranges: list[Tensor] = []

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, cache_kwargs: dict[str, Any] | None = None
    ) -> tuple[Tensor, Tensor]:
        low, high = key_states[0].aminmax(dim=-1)
        self.ranges.append(high - low)
        return super().update(key_states, value_states, layer_idx, cache_kwargs)


def samples(tokenizer: Any) -> dict[str, Sample]:
    """Tokenize prose, the story and, where the template shows tools, a call."""
    paragraphs = prose()
    english = next(number for number, text in enumerate(paragraphs) if text.isascii())
    found = {
        name: Sample(tokenizer("\n".join(part)[:PROSE_CHARACTERS], return_tensors="pt").input_ids[:, :PROSE_TOKENS], 1)
        for name, part in {"zh": paragraphs[:english], "en": paragraphs[english:]}.items()
    }
    asked = [{"role": "system", "content": SYSTEM_PROMPT}, {"role": "user", "content": STORY_PROMPT}]
    found["story"] = _turn(tokenizer, asked, {"content": STORY})
    if "tools" in tokenizer.chat_template:
        asked = [{"role": "user", "content": ADD_PROMPT}]
        found["call"] = _turn(tokenizer, asked, {"content": "", "tool_calls": [CALL]}, tools=list(TOOLS))
    return found


def _turn(tokenizer: Any, asked: list[dict[str, Any]], answer: Mapping[str, Any], **more: Any) -> Sample:
    before = tokenizer.apply_chat_template(asked, add_generation_prompt=True, tokenize=False, **more)
    whole = tokenizer.apply_chat_template([*asked, {"role": "assistant", **answer}], tokenize=False, **more)
    first, tokens = (tokenizer(text, add_special_tokens=False).input_ids for text in (before, whole))
    return Sample(torch.tensor([tokens]), len(first))


def loss(loaded: Loaded, sample: Sample, cache: SlotCache) -> float:
    """Nats per token that is foretold, where every token attends to what the cache gives back."""
    cache.begin_prompt(0, sample.tokens.shape[1])
    with torch.inference_mode():
        logits = loaded.model(sample.tokens, past_key_values=cache, use_cache=True).logits[0]
    return float(cross_entropy(logits[sample.first - 1 : -1].float(), sample.tokens[0, sample.first :]))


@contextmanager
def key_outputs(model: torch.nn.Module, architecture: Architecture) -> Iterator[list[Tensor]]:
    """Collect each layer's keys before rotation: (key-value heads, tokens, channels)."""
    head_norms = architecture.family.head_norms
    found: list[Tensor] = []

    def keep(_module: Any, _given: Any, made: Tensor) -> None:
        keys = made[0].unbind(1) if head_norms else [made[0][:, rows] for rows in architecture.key_rows()]
        found.append(torch.stack([*keys]))

    name = head_norms[-1] if head_norms else architecture.keys.name
    hooks = [
        model.get_submodule(f"{decoder(number)}.{name}").register_forward_hook(keep)
        for number in range(architecture.decoders)
    ]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def measured_ranges(loaded: Loaded, architecture: Architecture, sample: Sample) -> Ratios:
    """What `key_ranges` foretells, of the keys of a text but its first token, which is unlike all others."""
    cache = Watched(architecture.decoders, 0, torch.float32)
    with key_outputs(loaded.model, architecture) as outputs:
        loss(loaded, sample, cache)
    pairs = zip(cache.ranges, outputs, strict=True)
    return np.array([(ranges[:, 1:].mean(1) / keys[:, 1:].var(1).mean(1).sqrt()).numpy() for ranges, keys in pairs])


def statistics(noise: Ratios) -> dict[str, float]:
    """What could be made of the heads' noise."""
    ways: dict[str, Callable[..., Any]] = {"mean": np.mean, "median": np.median, "worst": np.max}
    return {name: float(f"{way(noise):.3g}") for name, way in ways.items()}


def model_record(folder: Path) -> dict[str, Any]:
    """Foretell and measure one model."""
    from transformers import AutoTokenizer

    architecture = Architecture.of(read_config(folder))
    began = time.perf_counter()
    foretold = key_ranges(TensorFiles(folder), architecture)
    seconds = time.perf_counter() - began
    loaded = load(folder, model_format=None, kv_bits=0, trust_remote_code=True)
    texts = samples(AutoTokenizer.from_pretrained(folder, trust_remote_code=True))  # type: ignore[no-untyped-call]
    seen = measured_ranges(loaded, architecture, texts["zh"])

    def losses(bits: int, dtype: torch.dtype) -> dict[str, float]:
        return {
            name: round(loss(loaded, sample, SlotCache(architecture.decoders, bits, dtype)), 4)
            for name, sample in texts.items()
        }

    plain, rows = losses(0, torch.float32), []
    caches = [*((bits, torch.float32) for bits in EXACT), *((bits, loaded.gpu_dtype) for bits in ROUNDED)]
    for bits, dtype in caches:
        cost = {name: round(found - plain[name], 4) for name, found in losses(bits, dtype).items()}
        noise = rounding_noise(foretold, bits)
        row = {
            "bits": bits,
            "arithmetic": str(dtype).removeprefix("torch."),
            "foretold": statistics(noise),
            "measured": statistics(rounding_noise(seen, bits)),
            "holds": bool(noise.mean() < LIMIT),
            "cost": cost,
        }
        print(folder.name, row, flush=True)
        rows.append(row)
    return {
        "name": folder.name,
        "family": architecture.family.name,
        "parameters": architecture.parameters(),
        "heads": foretold.size,
        "seconds_to_foretell": round(seconds, 2),
        "layers_at_4_bits": {
            name: [float(f"{layer:.3g}") for layer in rounding_noise(ranges, 4).mean(1)]
            for name, ranges in {"foretold": foretold, "measured": seen}.items()
        },
        "tokens": {name: sample.tokens.shape[1] - sample.first for name, sample in texts.items()},
        "loss": plain,
        "rows": rows,
    }


def main(arguments: Sequence[str]) -> None:
    """The program."""
    parser = argparse.ArgumentParser(prog="python -m tools.kv_range", description="what a quantized KV cache costs")
    parser.add_argument("checkpoints", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--folder", type=Path, default=RECORDS, help="where the record goes (default: docs/records)")
    given = parser.parse_args(arguments)
    models = [model_record(folder) for folder in given.checkpoints]
    command = shlex.join(["python", "-m", "tools.kv_range", *(folder.name for folder in given.checkpoints)])
    write(given.folder / "kv-range.json", {**head_now(command), "limit": LIMIT, "models": models})


if __name__ == "__main__":
    main(sys.argv[1:])
