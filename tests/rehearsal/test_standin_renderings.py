"""The renderings are those of the installed LMDeploy, byte for byte, and its tokenizer copes with the checkpoints."""

from __future__ import annotations

import inspect
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fixtures.standin.checkpoint import STANDIN, VOCABULARY
from fixtures.standin.tokenizer_files import padded, write_tokenizer
from tools.standin.dialogue import Dialogue
from tools.standin.dialogues import generate
from tools.standin.rendering import BUILTIN_SYSTEM, text

model = pytest.importorskip("lmdeploy.model")


def request_messages(dialogue: Dialogue, named: bool, lossy: bool) -> list[dict[str, Any]]:
    """The messages that a client would have sent to get the dialogue's whole text as prompt."""
    messages: list[dict[str, Any]] = []
    for index, turn in enumerate(dialogue.turns):
        message: dict[str, Any] = {"role": turn.role, "content": turn.content}
        if turn.calls and not (lossy and index < len(dialogue.turns) - 1):
            functions = [{"name": call.name, "arguments": json.dumps(call.arguments())} for call in turn.calls]
            message["tool_calls"] = [{"id": "0", "type": "function", "function": function} for function in functions]
        if turn.role in ("tool", "environment") and named:
            message["name"] = "plugin"
        messages.append(message)
    return messages


def shortened(whole: str) -> str:
    """Without what follows the last answer: LMDeploy leaves an assistant's last turn open."""
    return whole.removesuffix("<|im_end|>\n")


def test_modern_rendering_is_that_of_the_chat_template() -> None:
    if not hasattr(model, "HFChatTemplate"):
        pytest.skip("before 0.10 the checkpoint's own template is not used")
    template = model.HFChatTemplate(str(STANDIN))
    for dialogue, how in generate(11, 300):
        if how.style == "modern" and not how.tight_call:
            messages = request_messages(dialogue, named=False, lossy=how.lossy_calls)
            prompt = template.messages2prompt(messages, tools=list(dialogue.tools) or None)
            assert prompt == shortened(text(dialogue, how))


def test_builtin_rendering_is_that_of_the_builtin_template() -> None:
    if not hasattr(model, "InternLM2Chat7B"):
        pytest.skip("this LMDeploy has no built-in internlm2 template")
    template = model.InternLM2Chat7B()
    assert template.meta_instruction == BUILTIN_SYSTEM
    # 0.5.3 drops tool_calls and does not know the role tool.
    always_lossy = "tool_calls" not in inspect.getsource(model.InternLM2Chat7B)
    for dialogue, how in generate(12, 300):
        if how.style == "builtin" and not how.tight_call and not (always_lossy and dialogue.turns[-1].calls):
            how = replace(how, lossy_calls=how.lossy_calls or always_lossy)
            messages = request_messages(dialogue, how.named_results, how.lossy_calls)
            if always_lossy:
                messages = [{**m, "role": "environment"} if m["role"] == "tool" else m for m in messages]
            prompt = template.messages2prompt(messages, tools=list(dialogue.tools) or None)
            assert "<s>" + prompt == shortened(text(dialogue, how))


def test_fillers_leave_encoding_alone_and_decode_to_words(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("lmdeploy.tokenizer")
    original = json.loads((STANDIN / "tokenizer.json").read_text(encoding="utf-8"))
    for name in ("config.json", "configuration_internlm2.py", "modeling_internlm2.py"):
        (tmp_path / name).write_bytes((STANDIN / name).read_bytes())
    write_tokenizer(tmp_path, padded(original, 92544), context=4096)
    wrapper = tokenizers.HuggingFaceTokenizer
    # Since 0.13; before, remote code was always trusted.
    trust = {"trust_remote_code": True} if "trust_remote_code" in inspect.signature(wrapper).parameters else {}
    wide, narrow = wrapper(str(tmp_path), **trust), wrapper(str(STANDIN), **trust)
    sample = "帮我讲述一个故事 w1280 Compute (3+5)*2"
    assert wide.encode(sample) == narrow.encode(sample)
    assert wide.vocab_size == 92544
    assert wide.vocab_size_with_added == 92544
    ids = [5, VOCABULARY, 40000, 92543, 70, 4, 92541]
    assert wide.decode(ids).endswith(" w92541")
    assert " w40000" in wide.decode(ids)
    state, streamed = tokenizers.DetokenizeState(), ""
    for end in range(1, len(ids) + 1):
        piece, state = wide.detokenize_incrementally(ids[:end], state)
        streamed += piece
    assert streamed == wide.decode(ids)
