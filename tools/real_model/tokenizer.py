"""The files of Qwen2's tokenizer, of the fields of a GGUF."""

from collections.abc import Mapping
from typing import Any, Final

from gguf import TokenType

WORDS: Final = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Where a text is cut before its bytes are merged; `qwen2` to a GGUF. Source: Qwen2Converter of transformers."""

BYTE_LEVEL: Final = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
ADDED: Final = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}


def tokenizer_files(fields: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Make the contents of the files, by their names.

    The tokens that the GGUF calls user-defined, `<tool_call>` and `</tool_call>`, stay words that are written in
    pieces, as transformers leaves them when it reads a GGUF itself. As one token, with which Qwen publishes it, the
    model answers a question that needs a tool with a block of JSON, and calls nothing.
    """
    tokens, kinds = fields["tokenizer.ggml.tokens"], fields["tokenizer.ggml.token_type"]
    control = {number: token for number, token in enumerate(tokens) if kinds[number] == TokenType.CONTROL}
    pad = tokens[fields["tokenizer.ggml.padding_token_id"]]
    named = {
        "eos_token": tokens[fields["tokenizer.ggml.eos_token_id"]],
        "pad_token": pad,
        "additional_special_tokens": [token for token in control.values() if token != pad],
    }
    cut = {"type": "Split", "pattern": {"Regex": WORDS}, "behavior": "Isolated", "invert": False}
    bpe = {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": "",
        "end_of_word_suffix": "",
        "fuse_unk": False,
        "byte_fallback": False,
        # The unused ones behind them fill the embeddings up, and are no words.
        "vocab": {token: number for number, token in enumerate(tokens) if kinds[number] != TokenType.UNUSED},
        "merges": fields["tokenizer.ggml.merges"],
    }
    return {
        "tokenizer.json": {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [{"id": number, "content": token, **ADDED} for number, token in control.items()],
            "normalizer": {"type": "NFC"},
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [cut, BYTE_LEVEL]},
            "post_processor": BYTE_LEVEL,
            "decoder": BYTE_LEVEL,
            "model": bpe,
        },
        "tokenizer_config.json": {
            "tokenizer_class": "Qwen2Tokenizer",
            "added_tokens_decoder": {str(number): {"content": token, **ADDED} for number, token in control.items()},
            **named,
            "add_prefix_space": False,
            "bos_token": None,
            "unk_token": None,
            "clean_up_tokenization_spaces": False,
            "errors": "replace",
            "model_max_length": fields["qwen2.context_length"],
            "chat_template": fields["tokenizer.chat_template"],
        },
        "special_tokens_map.json": named,
    }
