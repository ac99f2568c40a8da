"""The routes that score a text, against the same computed without a server."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest
import torch
from torch.nn.functional import cross_entropy

from fixtures.ask.load import Endpoint
from fixtures.rehearsal.checkpoint import load
from fixtures.rehearsal.kv_int4 import SlotCache
from tests.acceptance.quality.endpoint import ScoringEndpoint
from tests.rehearsal.conftest import Server

TEXT = "从前，森林边上住着一只狐狸，它最喜欢的水果就是西瓜。"


@pytest.fixture
def scoring(server: Server) -> ScoringEndpoint:
    address = urlsplit(server.url)
    return ScoringEndpoint(Endpoint(str(address.hostname), address.port or 0, ""), timeout=60)


def logits(folder: Path, ids: list[int], kv_bits: int) -> torch.Tensor:
    """After each token, (tokens, vocabulary)."""
    model = load(folder, model_format="awq", kv_bits=kv_bits, trust_remote_code=True).model
    cache = SlotCache(model.config.num_hidden_layers, kv_bits, torch.bfloat16)
    cache.begin_prompt(0, len(ids))
    with torch.inference_mode():
        found: torch.Tensor = model(input_ids=torch.tensor([ids]), past_key_values=cache, use_cache=True).logits[0]
    return found.float()


def test_the_loss_is_that_of_the_text_behind_an_int4_cache(scoring: ScoringEndpoint, quantized: Path) -> None:
    (ids,) = scoring.encode([TEXT], bos=True)
    four, sixteen = (cross_entropy(logits(quantized, ids, bits)[:-1], torch.tensor(ids[1:])).item() for bits in (4, 0))
    assert scoring.loss(ids) == pytest.approx(four, abs=1e-5)
    assert abs(four - sixteen) > 1e-3, "int4 keys and values show"


def test_the_next_token_is_the_most_probable(scoring: ScoringEndpoint, quantized: Path) -> None:
    (ids,) = scoring.encode([TEXT], bos=True)
    assert scoring.next_token(ids) == int(logits(quantized, ids, 4)[-1].argmax())


def test_segments_are_encoded_without_a_second_beginning(scoring: ScoringEndpoint) -> None:
    (whole,), (rest,) = scoring.encode([TEXT], bos=True), scoring.encode([TEXT], bos=False)
    assert whole[1:] == rest
