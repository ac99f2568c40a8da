"""The tokenizer's files: any text comes back, special tokens are single, digits stand alone, the template renders."""

from pathlib import Path
from random import Random
from typing import Any

import pytest
import transformers

from fixtures.model.token_count import LONGEST, token_count
from fixtures.standin.checkpoint import BOS_ID, EOS_ID, STANDIN, TURN_END_ID, VOCABULARY
from fixtures.standin.tokenizer_files import BOS, CHAT_TOKENS, EOS


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return transformers.AutoTokenizer.from_pretrained(STANDIN)


def test_any_text_comes_back(tokenizer: Any) -> None:
    rng = Random(0)
    texts = ["", " ", "\n\n  x", "帮我讲述一个关于狐狸和西瓜的小故事", "naïve — 🙂👩‍👩‍👧 \x00 鱻", " don 't . , !"]
    for _ in range(300):
        codes = (rng.randrange(0x110000) for _ in range(rng.randrange(20)))
        texts.append("".join(chr(code) for code in codes if not 0xD800 <= code < 0xE000))
    for text in texts:
        assert tokenizer.decode(tokenizer(text).input_ids, skip_special_tokens=True) == text


def test_tokens_are_counted_as_transformers_cuts_them(tokenizer: Any) -> None:
    count = token_count(STANDIN)
    for text in ("狐狸和西瓜", "naïve — 🙂", "x" * 50, ""):
        assert count(text) == len(tokenizer(text, add_special_tokens=False).input_ids)
    assert count("\ud800") is not None
    assert count("x" * (LONGEST + 1)) is None


def test_tokens_are_not_counted_without_a_tokenizer(tmp_path: Path) -> None:
    assert token_count(tmp_path)("狐狸") is None
    (tmp_path / "tokenizer.json").write_text("{}")
    assert token_count(tmp_path)("狐狸") is None


def test_special_tokens_are_single_and_skippable(tokenizer: Any) -> None:
    for token in (BOS, EOS, *CHAT_TOKENS):
        assert len(tokenizer(token, add_special_tokens=False).input_ids) == 1
        assert tokenizer.decode(tokenizer(f"a{token}b").input_ids, skip_special_tokens=True) == "ab"
    assert tokenizer.convert_tokens_to_ids(["<s>", "</s>", "<|im_end|>"]) == [BOS_ID, EOS_ID, TURN_END_ID]
    assert len(tokenizer) == VOCABULARY


def test_digits_stand_alone(tokenizer: Any) -> None:
    pieces = [tokenizer.decode([i]) for i in tokenizer("Compute (1234+5)*60", add_special_tokens=False).input_ids]
    assert [piece for piece in pieces if any(c.isdigit() for c in piece)] == list("1234560")


def test_prompts_begin_with_one_bos(tokenizer: Any) -> None:
    ids = tokenizer("x").input_ids
    assert ids.count(BOS_ID) == 1
    assert ids[0] == BOS_ID
    rendered = tokenizer.apply_chat_template([{"role": "user", "content": "x"}], tokenize=True)
    assert list(rendered).count(BOS_ID) == 1


@pytest.mark.parametrize("arguments", [{"a": 3, "b": 5}, '{"a": 3, "b": 5}'], ids=["dict", "text"])
@pytest.mark.parametrize("role", ["tool", "environment"])
def test_template_renders_calls_and_results(tokenizer: Any, arguments: Any, role: str) -> None:
    call = {"id": "0", "type": "function", "function": {"name": "add", "arguments": arguments}}
    messages = [
        {"role": "user", "content": "Compute 3+5"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": role, "tool_call_id": "0", "content": "3+5=8"},
    ]
    rendered = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert rendered.endswith(
        '<|im_start|>assistant\n<|action_start|><|plugin|>\n{"name": "add", "parameters": {"a": 3, "b": 5}}'
        "<|action_end|><|im_end|>\n<|im_start|>environment name=<|plugin|>\n3+5=8<|im_end|>\n<|im_start|>assistant\n"
    )
