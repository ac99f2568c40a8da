"""Families of models: every row is whole, and the rest of the suite names none."""

import re
from typing import Any

import pytest

from fixtures.errors import CheckpointError, LmdeployError
from fixtures.lmdeploy.capabilities import TRIED, adaptations, capabilities
from fixtures.lmdeploy.families import Architecture, families, family_of, homework_family
from fixtures.texts import catalogue
from tests.unit.waiting import ROOT

SHAPE = {
    "vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 4,
    "num_key_value_heads": 2,
}  # fmt: skip


def shapes(architecture: str, **config: Any) -> dict[str, tuple[int, ...]]:
    return Architecture.of({"architectures": [architecture], **SHAPE, **config}).weights()


def test_layers_feed_and_follow_what_is_there() -> None:
    for family in families().values():
        names = [layer.name for layer in family.layers]
        for place, layer in enumerate(family.layers):
            assert layer.norm in (*family.norms, "")
            assert not layer.feeds or layer.feeds in names[place + 1 :]
        assert family.keys in names
        assert all(f"family.breaks.{one}" in catalogue() for one in family.known_to_break)
        assert family.quantized_since in TRIED
        assert family.folder_name("x").startswith(family.folder_begins)
        assert family.folder_name(family.folder_name("x")) == family.folder_name("x")


def test_separate_queries_keys_and_values_have_their_bias() -> None:
    found = shapes("Qwen2ForCausalLM")
    assert found["model.layers.0.self_attn.k_proj.bias"] == (16,)
    assert found["model.layers.0.self_attn.q_proj.weight"] == (32, 32)
    assert found["lm_head.weight"] == found["model.embed_tokens.weight"] == (64, 32)
    assert "model.layers.0.self_attn.o_proj.bias" not in found


def test_head_is_stored_unless_it_is_tied_and_norms_of_heads_are_as_long_as_a_head() -> None:
    found = shapes("Qwen3ForCausalLM", tie_word_embeddings=True, head_dim=24)
    assert "lm_head.weight" not in found
    assert found["model.layers.0.self_attn.k_norm.weight"] == (24,)
    assert found["model.layers.0.self_attn.o_proj.weight"] == (32, 96)
    assert "model.layers.0.mlp.up_proj.bias" in shapes("LlamaForCausalLM", mlp_bias=True)


@pytest.mark.parametrize("named", [["GPT2LMHeadModel"], [], None, "InternLM2ForCausalLM", [{}]])
def test_unknown_architecture_is_refused_with_the_list(named: Any) -> None:
    with pytest.raises(CheckpointError, match=r"InternLM3ForCausalLM.*LlamaForCausalLM"):
        family_of({"architectures": named})


def test_parser_is_the_familys_and_the_versions() -> None:
    qwen = families()["Qwen2ForCausalLM"]
    assert [qwen.tool_call_parser(version) for version in ("0.6.5", "0.7.3", "0.18.0")] == [None, "qwen", "qwen2d5"]
    assert capabilities("0.18.0", qwen).tool_call_parser == "qwen2d5"
    assert capabilities("0.18.0", homework_family()) == capabilities("0.18.0")
    assert capabilities("0.18.0").trust_remote_code
    assert not capabilities("0.18.0", qwen).trust_remote_code
    assert "template" not in [one.id for one in adaptations("0.18.0", qwen)]


def test_version_that_cannot_quantize_a_family_is_refused() -> None:
    qwen3 = families()["Qwen3ForCausalLM"]
    qwen3.refuse_older("0.8.0")
    with pytest.raises(LmdeployError, match=r"from 0\.8\.0 on"):
        qwen3.refuse_older("0.7.3")


def test_nothing_else_names_a_family() -> None:
    """But the stand-in, which is one, and the homework's own words."""
    named = re.compile("|".join(families()) + r"|[\"'](?:internlm|qwen\w*|llama3)[\"']|<tool_call>|action_start")
    files = [
        file
        for folder in ("fixtures", "tests/acceptance")
        for file in (ROOT / folder).rglob("*.py")
        if not {"standin", "unit", "internlm2_5-standin-chat"}.intersection(file.parts)
    ]
    assert [file.name for file in files if named.search(file.read_text(encoding="utf-8"))] == []
