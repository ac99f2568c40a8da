"""How far honest and damaged weights move the stand-in's figures, on a CPU: what the limits are justified with.

    python -m tools.quality_damage QUANTIZED

QUANTIZED is the folder that `lmdeploy lite auto_awq` made of the stand-in, here or in a rehearsal. Computes with the
rehearsal's engine parts (float32, the AWQ result read back, the cache rounded as TurboMind rounds it), asks for the
same figures as a GPU run but the chains, and writes docs/records/quality-damage.json.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from fixtures.rehearsal.checkpoint import load
from fixtures.rehearsal.kv_int4 import SlotCache
from fixtures.server.in_turn import BF16
from fixtures.standin.checkpoint import STANDIN
from tests.acceptance.quality.asking import Questions
from tests.acceptance.quality.events import QualityMeasured
from tests.acceptance.quality.limits import HIGHEST_RATIO, LEAST_AGREEMENT, PROMPTS
from tests.acceptance.quality.passages import prompts
from tests.acceptance.quality.result import Quality
from tools.records import RECORDS, head_now, write

GROUP: Final = 128
THREADS: Final = 1
LINEAR: Final = ("wqkv", "wo", "w1", "w2", "w3")

Damage = Callable[[Tensor], Tensor]


def layers(model: nn.Module) -> dict[str, Tensor]:
    """The weights that AWQ quantizes, (out, in), by name."""
    return {
        name: module.weight
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and name.rpartition(".")[2] in LINEAR
    }


def rounded(weight: Tensor, bits: int) -> Tensor:
    """The weight rounded to the nearest of 2**bits values between the extremes of each group of 128 inputs."""
    grouped = weight.reshape(weight.shape[0], -1, GROUP)
    low, high = grouped.aminmax(dim=-1, keepdim=True)
    scale = (high - low) / (2**bits - 1)
    near: Tensor = ((grouped - low) / scale).round().mul(scale).add(low)
    return near.reshape_as(weight)


def without_first_group(weight: Tensor) -> Tensor:
    """A zeroed group of scales."""
    return torch.cat([torch.zeros_like(weight[:, :GROUP]), weight[:, GROUP:]], dim=1)


def upside_down(weight: Tensor) -> Tensor:
    """Rows in the wrong order, as a wrong packing leaves them."""
    return weight.flip(0)


DAMAGES: Final[dict[str, Damage]] = {"first group of scales zeroed": without_first_group, "rows reversed": upside_down}


def answers(name: str, model: Any, bits: int, questions: Questions) -> QualityMeasured:
    """What a server with this model and a KV cache of so many bits would answer, chains aside."""

    def logits(ids: tuple[int, ...]) -> Tensor:
        cache = SlotCache(model.config.num_hidden_layers, bits, torch.bfloat16)
        cache.begin_prompt(0, len(ids))
        found: Tensor = model(input_ids=torch.tensor([ids]), past_key_values=cache, use_cache=True).logits[0].float()
        return found

    losses, named = [], []
    with torch.inference_mode():
        for text in questions.texts:
            row = logits(text.ids)
            if text.scored:
                losses.append(nn.functional.cross_entropy(row[:-1], torch.tensor(text.ids[1:])).item())
            # A causal model says of a prefix what it says within the whole.
            named += [int(row[len(prompt.ids) - 1].argmax()) for prompt in prompts(text, PROMPTS)]
    return QualityMeasured(name, [], [losses], [named], [True], None, None, 0.0, 0.0)


def variants(plain: nn.Module, quantized: nn.Module) -> Iterator[tuple[str, nn.Module, int]]:
    """Name, model and bits of its KV cache."""
    yield "bf16 + int8 KV", plain, 8
    yield "bf16 + int4 KV", plain, 4
    yield "W4A16", quantized, 0
    yield "W4A16 + int4 KV", quantized, 4
    names = list(layers(quantized))
    for bits in (8, 4, 3, 2):
        yield f"{bits} bits, rounded to nearest", damaged(plain, names, partial(rounded, bits=bits)), 0
    for name in (*names[:5], names[-1]):
        for words, damage in DAMAGES.items():
            yield f"W4A16, {name}: {words}", damaged(quantized, [name], damage), 0


@torch.no_grad()
def damaged(model: nn.Module, names: Sequence[str], damage: Damage) -> nn.Module:
    """A copy of the model with some layers damaged."""
    changed = copy.deepcopy(model)
    weights = layers(changed)
    for name in names:
        weights[name].copy_(damage(weights[name]))
    return changed


def measure(folder: Path) -> dict[str, Any]:
    """The record, without its head."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(STANDIN, trust_remote_code=True)  # type: ignore[no-untyped-call]

    def encoded(texts: Sequence[str], bos: bool) -> list[list[int]]:
        return [tokenizer(one, add_special_tokens=bos).input_ids for one in texts]

    questions = Questions.read(encoded, PROMPTS)
    plain = load(STANDIN, model_format="hf", kv_bits=0, trust_remote_code=True).model
    quantized = load(folder, model_format="awq", kv_bits=0, trust_remote_code=True).model
    first = answers(BF16.title, plain, 0, questions)
    rows, known = [], {}
    for name, model, bits in variants(plain, quantized):
        found = Quality(questions.event(1), (first, answers(name, model, bits, questions)))
        known = {part: round(found.knowledge(part), 4) for part in found.parts}
        ratio, agreement = found.ratio(name), found.agreement(name)
        accepted = ratio.value <= HIGHEST_RATIO and agreement.interval.upper >= LEAST_AGREEMENT
        rows.append(
            {
                "name": name,
                "perplexity_ratio": ratio.figures,
                "agreement": round(agreement.share, 4),
                "accepted": accepted,
                "parts": found.details(name)["parts"],
            }
        )
    return {"text": questions.event(1).fingerprint, "known": known, "rows": rows}


def main() -> None:
    """Measure and write the record."""
    torch.set_num_threads(THREADS)
    parser = argparse.ArgumentParser(prog="python -m tools.quality_damage", description=__doc__)
    parser.add_argument("quantized", type=Path, help="folder of the quantized stand-in")
    made = measure(parser.parse_args().quantized)
    write(RECORDS / "quality-damage.json", {**head_now("python -m tools.quality_damage QUANTIZED"), **made})


if __name__ == "__main__":
    main()
