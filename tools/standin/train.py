"""Train the stand-in from its seed: one GPU, a few minutes, one file of weights.

``python -m tools.standin.train --out FOLDER`` writes a whole checkpoint folder. The second part of training runs
with simulated W4A16 and int4 KV quantization (see quantization.py).
"""

import argparse
import math
import multiprocessing
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from tokenizers import Tokenizer  # type: ignore[import-untyped, import-not-found, unused-ignore]
from torch import Tensor
from torch.nn import functional

from fixtures.standin.checkpoint import STANDIN, STANDIN_SHAPE, Shape, copy_code, write_config
from tools.standin.dialogues import TRAINING_SEED, generate
from tools.standin.quantization import FakeQuantization, QuantizedCache
from tools.standin.rendering import spans

LONGEST = 2048
LENGTHS = (128, 192, 256, 320, 384, 448, 512, 640, 768, 1024, 1536, LONGEST)
"""Lengths that batches are padded to, so that few shapes occur and little is padding."""
REFRESH = 8
"""Steps between looks at the inputs' range, each with new smoothing factors."""
PART = 2000
"""Dialogues generated and tokenized at a time, each part from a seed of its own."""


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the weights, besides the code and the machine's arithmetic."""

    seed: int = TRAINING_SEED
    dialogues: int = 320_000
    steps: int = 6000
    batch_tokens: int = 32_768
    rate: float = 2e-3
    warmup: int = 400
    decay: float = 0.1
    quantized_from: float = 0.5
    jitter: float = 0.4
    """Largest standard deviation of the noise on the logarithm of AWQ's smoothing factors."""


class Batch(NamedTuple):
    """Ids (B, T) padded with 0; for each learnt token its predecessor's flat position and the token itself (N,)."""

    ids: Tensor
    positions: Tensor
    targets: Tensor


@dataclass(frozen=True)
class Examples:
    """Tokenized dialogues end to end: ids, whether each is learnt, and where each dialogue starts (one more than
    there are dialogues)."""

    ids: NDArray[numpy.int16]
    learnt: NDArray[numpy.bool_]
    starts: NDArray[numpy.int64]

    def batches(self, rng: Random, batch_tokens: int) -> Iterator[tuple[int, list[int]]]:
        """Endless batches (padded length, dialogues), each of about batch_tokens tokens."""
        lengths = numpy.diff(self.starts)
        buckets: dict[int, list[int]] = {length: [] for length in LENGTHS}
        order = list(range(len(lengths)))
        while True:
            rng.shuffle(order)
            for index in order:
                length = next(size for size in LENGTHS if lengths[index] <= size)
                buckets[length].append(index)
                if len(buckets[length]) * length >= batch_tokens:
                    yield length, buckets[length]
                    buckets[length] = []

    def batch(self, length: int, indices: list[int], device: str) -> Batch:
        """The dialogues as one padded batch on the device."""
        ids = numpy.zeros((len(indices), length), dtype=numpy.int64)
        learnt = numpy.zeros((len(indices), length), dtype=numpy.bool_)
        for row, index in enumerate(indices):
            start, end = self.starts[index], self.starts[index + 1]
            ids[row, : end - start] = self.ids[start:end]
            learnt[row, : end - start] = self.learnt[start:end]
        # The first token (<s>) is never learnt, so every learnt token has a predecessor in its own row.
        following = numpy.flatnonzero(learnt)
        arrays = (ids, following - 1, ids.reshape(-1)[following])
        return Batch(*(torch.from_numpy(array).to(device) for array in arrays))


def tokenize_part(job: tuple[int, int]) -> Examples:
    """The tokenized dialogues of one part (its seed, its count); those longer than LONGEST are left out."""
    seed, count = job
    tokenizer = Tokenizer.from_file(str(STANDIN / "tokenizer.json"))
    texts, marks = [], []
    for dialogue, rendering in generate(seed, count):
        text, learnt = "", []
        for piece, wanted in spans(dialogue, rendering):
            text += piece
            learnt += [wanted] * len(piece)
        texts.append(text)
        marks.append(learnt)
    ids: list[int] = []
    flags: list[bool] = []
    starts = [0]
    for encoding, learnt in zip(tokenizer.encode_batch(texts, add_special_tokens=False), marks, strict=True):
        if len(encoding.ids) <= LONGEST:
            ids += encoding.ids
            flags += [learnt[begin] for begin, _ in encoding.offsets]
            starts.append(len(ids))
    return Examples(numpy.array(ids, numpy.int16), numpy.array(flags, numpy.bool_), numpy.array(starts, numpy.int64))


def make_examples(seed: int, count: int, workers: int) -> Examples:
    """Generate and tokenize in parallel; the parts depend on the count alone, not on the workers."""
    jobs = [(seed * 1000 + number, min(PART, count - number * PART)) for number in range(math.ceil(count / PART))]
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        parts = list(pool.imap(tokenize_part, jobs))
    lengths = numpy.concatenate([numpy.diff(part.starts) for part in parts])
    return Examples(
        numpy.concatenate([part.ids for part in parts]),
        numpy.concatenate([part.learnt for part in parts]),
        numpy.concatenate((numpy.zeros(1, numpy.int64), numpy.cumsum(lengths))),
    )


def new_model(shape: Shape, folder: Path, seed: int) -> Any:
    """An untrained model of the shape, from the code in the checkpoint folder."""
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(seed)
    config = AutoConfig.from_pretrained(folder, trust_remote_code=True)
    config.update(asdict(shape))
    model: Any = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call, unused-ignore]
        config, trust_remote_code=True, torch_dtype=torch.float32
    )
    for name, weight in model.named_parameters():
        # Residual branches start small, so that depth does not blow up the first steps.
        if name.endswith(("wo.weight", "w2.weight")):
            weight.data.div_(math.sqrt(2 * shape.num_hidden_layers))
    return model


def answer_loss(model: Any, batch: Batch, cache: QuantizedCache | None) -> tuple[Tensor, Tensor]:
    """Mean loss over the learnt tokens, and the share of dialogues that greedy decoding would get wholly right."""
    # The residual stream in bf16, as the server has it; the weights stay in float32.
    embedded = model.model.tok_embeddings(batch.ids).bfloat16()
    hidden = model.model(inputs_embeds=embedded, past_key_values=cache).last_hidden_state
    logits = model.output(hidden.flatten(0, 1).index_select(0, batch.positions)).float()
    loss = functional.cross_entropy(logits, batch.targets)
    with torch.no_grad():
        wrong = (logits.argmax(-1) != batch.targets).float()
        errors = torch.zeros(len(batch.ids), device=wrong.device)
        errors.index_add_(0, batch.positions // batch.ids.shape[1], wrong)
    return loss, (errors == 0).float().mean()


def _fused_norm(norm: Any) -> Any:
    """The norm's arithmetic in one kernel: launches, not arithmetic, bound the speed of so small a model."""

    def forward(hidden: Tensor) -> Tensor:
        weight = norm.weight.to(hidden.dtype)
        return functional.rms_norm(hidden, weight.shape, weight, norm.eps).to(hidden.dtype)

    return forward


def train(model: Any, examples: Examples, recipe: Recipe, device: str) -> None:
    """AdamW with a linear decay to zero; quantization is simulated from ``quantized_from`` of the steps on."""
    model.to(device).train()
    matrices = [p for p in model.parameters() if p.dim() == 2]
    vectors = [p for p in model.parameters() if p.dim() != 2]
    groups = [{"params": matrices, "weight_decay": recipe.decay}, {"params": vectors, "weight_decay": 0.0}]
    for module in model.modules():
        if type(module).__name__ == "InternLM2RMSNorm":
            module.forward = _fused_norm(module)
    optimizer = torch.optim.AdamW(groups, lr=recipe.rate, betas=(0.9, 0.98), fused=device == "cuda")
    quantization = FakeQuantization(model)
    noise = Random(recipe.seed + 1)
    switch = int(recipe.steps * recipe.quantized_from)
    started = time.monotonic()
    batches = examples.batches(Random(recipe.seed), recipe.batch_tokens)
    for step in range(recipe.steps):
        length, indices = next(batches)
        batch = examples.batch(length, indices, device)
        rate = recipe.rate * min((step + 1) / recipe.warmup, 1 - step / recipe.steps)
        for group in optimizer.param_groups:
            group["lr"] = rate
        quantization.observing = step % REFRESH == 0
        quantization.active = step >= switch
        if quantization.active:
            if quantization.observing or step == switch:
                quantization.refresh(jitter=noise.uniform(0.0, recipe.jitter))
            quantization.quantize()
        with torch.autocast(device, dtype=torch.bfloat16):
            loss, right = answer_loss(model, batch, QuantizedCache() if quantization.active else None)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if step % max(recipe.steps // 40, 1) == 0 or step == recipe.steps - 1:
            seconds = time.monotonic() - started
            state = f"length {length:4d} loss {loss.item():.5f} right {right.item():.3f}"
            print(f"{seconds:6.1f} s step {step:6d} {state}", flush=True)
    quantization.active = False


def save_checkpoint(model: Any, shape: Shape, folder: Path) -> None:
    """Write a whole checkpoint folder with bf16 weights."""
    folder.mkdir(parents=True, exist_ok=True)
    if folder.resolve() != STANDIN.resolve():
        copy_code(folder)
        for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
            shutil.copyfile(STANDIN / name, folder / name)
    write_config(folder, shape)
    weights = {
        name: weight.detach().to("cpu", torch.bfloat16).contiguous() for name, weight in model.state_dict().items()
    }
    assert {name: tuple(weight.shape) for name, weight in weights.items()} == shape.weights()
    partial = folder / "model.safetensors.partial"
    save_file(weights, partial, metadata={"format": "pt"})
    partial.chmod(0o644)  # safetensors makes private files
    partial.replace(folder / "model.safetensors")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.standin.train", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="checkpoint folder to write")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes that make dialogues")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    given = parser.parse_args()
    recipe, started = Recipe(), time.monotonic()
    examples = make_examples(recipe.seed, recipe.dialogues, given.workers)
    print(f"{time.monotonic() - started:6.1f} s {len(examples.starts) - 1} dialogues, {len(examples.ids)} tokens")
    model = new_model(STANDIN_SHAPE, STANDIN, recipe.seed)
    train(model, examples, recipe, given.device)
    save_checkpoint(model, STANDIN_SHAPE, given.out)
    print(f"{time.monotonic() - started:6.1f} s written to {given.out}")


if __name__ == "__main__":
    main()
