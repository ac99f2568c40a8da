"""A model's own special tokens, from the files of its tokenizer."""

from pathlib import Path

from fixtures.model.special_tokens import own_tokens, read_own_tokens
from fixtures.standin.checkpoint import STANDIN


def test_tokens_are_found_in_all_three_files() -> None:
    tokenizer = {
        "added_tokens_decoder": {
            "1": {"content": "<|a|>", "special": True},
            "2": {"content": "<plain>", "special": False},
            "3": "broken",
        },
        "pad_token": "!",
        "eos_token": {"content": "</e>"},
        "model_max_length": 9,
        "name_or_path": "[x]/y",
    }
    special = {"additional_special_tokens": ["[B1]", {"content": "<|c|>"}, 5]}
    template = "{% if tools %}<tools>[INST]{{ a < b }}</tools>{% endif %}"
    assert set(own_tokens(tokenizer, special, template)) == {
        "<|a|>", "</e>", "[B1]", "<|c|>", "<tools>", "[INST]", "</tools>",
    }  # fmt: skip


def test_files_of_another_shape_hold_no_tokens(tmp_path: Path) -> None:
    assert own_tokens([], None, "") == ()
    assert read_own_tokens(tmp_path / "absent") == ()
    (tmp_path / "tokenizer_config.json").write_text("{", encoding="utf-8")
    assert read_own_tokens(tmp_path) == ()


def test_standin_has_internlm2s_tokens() -> None:
    assert {"<s>", "</s>", "<unk>", "<|im_start|>", "<|im_end|>", "<|plugin|>"} <= set(read_own_tokens(STANDIN))
