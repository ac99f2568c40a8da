"""The routes that score a text, against the same computed without a server."""

from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy

from fixtures.model.quantization import QuantizedCheckpoint
from fixtures.rehearsal.checkpoint import load
from fixtures.rehearsal.kv_int4 import SlotCache
from fixtures.server.api_server import RunningServer
from tests.rehearsal.conftest import post

TEXT = "从前，森林边上住着一只狐狸，它最喜欢的水果就是西瓜。"
ONE_TOKEN = {"max_tokens": 1, "temperature": 0.0, "ignore_eos": True, "skip_special_tokens": False}


def encode(server: RunningServer, bos: bool) -> list[int]:
    (ids,) = post(server, "/v1/encode", {"input": [TEXT], "add_bos": bos})["input_ids"]
    return list(ids)


def logits(folder: Path, ids: list[int], kv_bits: int) -> torch.Tensor:
    """After each token, (tokens, vocabulary)."""
    model = load(folder, model_format="awq", kv_bits=kv_bits, trust_remote_code=True).model
    cache = SlotCache(model.config.num_hidden_layers, kv_bits, torch.bfloat16)
    cache.begin_prompt(0, len(ids))
    with torch.inference_mode():
        found: torch.Tensor = model(input_ids=torch.tensor([ids]), past_key_values=cache, use_cache=True).logits[0]
    return found.float()


def test_loss_and_next_token_are_those_of_the_text_behind_an_int4_cache(
    server: RunningServer, quantized: QuantizedCheckpoint
) -> None:
    ids = encode(server, bos=True)
    four, sixteen = (logits(quantized.folder, ids, bits) for bits in (4, 0))
    losses = [cross_entropy(found[:-1], torch.tensor(ids[1:])).item() for found in (four, sixteen)]
    assert post(server, "/get_ppl", {"input": ids})["ppl"] == pytest.approx(losses[0], abs=1e-5)
    assert abs(losses[0] - losses[1]) > 1e-3, "int4 keys and values show"
    assert post(server, "/generate", {"input_ids": ids, **ONE_TOKEN})["output_ids"] == [int(four[-1].argmax())]


def test_segments_are_encoded_without_a_second_beginning(server: RunningServer) -> None:
    assert encode(server, bos=True)[1:] == encode(server, bos=False)
