"""The routes that score a text, against the same computed without a server."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy

from fixtures.rehearsal.checkpoint import load
from fixtures.rehearsal.kv_int4 import SlotCache
from tests.rehearsal.conftest import Server

TEXT = "从前，森林边上住着一只狐狸，它最喜欢的水果就是西瓜。"
ONE_TOKEN = {"max_tokens": 1, "temperature": 0.0, "ignore_eos": True, "skip_special_tokens": False}


def encode(server: Server, bos: bool) -> list[int]:
    status, answer = server.post("/v1/encode", {"input": [TEXT], "add_bos": bos})
    assert status == 200, answer
    (ids,) = answer["input_ids"]
    return ids


def logits(folder: Path, ids: list[int], kv_bits: int) -> torch.Tensor:
    """After each token, (tokens, vocabulary)."""
    model = load(folder, model_format="awq", kv_bits=kv_bits, trust_remote_code=True).model
    cache = SlotCache(model.config.num_hidden_layers, kv_bits, torch.bfloat16)
    cache.begin_prompt(0, len(ids))
    with torch.inference_mode():
        found: torch.Tensor = model(input_ids=torch.tensor([ids]), past_key_values=cache, use_cache=True).logits[0]
    return found.float()


def test_loss_and_next_token_are_those_of_the_text_behind_an_int4_cache(server: Server, quantized: Path) -> None:
    ids = encode(server, bos=True)
    four, sixteen = (logits(quantized, ids, bits) for bits in (4, 0))
    losses = [cross_entropy(found[:-1], torch.tensor(ids[1:])).item() for found in (four, sixteen)]
    assert server.post("/get_ppl", {"input": ids})[1]["ppl"] == pytest.approx(losses[0], abs=1e-5)
    assert abs(losses[0] - losses[1]) > 1e-3, "int4 keys and values show"
    assert server.post("/generate", {"input_ids": ids, **ONE_TOKEN})[1]["output_ids"] == [int(four[-1].argmax())]


def test_segments_are_encoded_without_a_second_beginning(server: Server) -> None:
    assert encode(server, bos=True)[1:] == encode(server, bos=False)
