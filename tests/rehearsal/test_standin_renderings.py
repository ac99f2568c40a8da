"""The renderings are those of the installed LMDeploy, byte for byte, and its tokenizer copes with the checkpoints."""

import json
from pathlib import Path
from typing import Any

from lmdeploy.model import HFChatTemplate
from lmdeploy.tokenizer import DetokenizeState, HuggingFaceTokenizer

from fixtures.standin.checkpoint import STANDIN, VOCABULARY
from fixtures.standin.tokenizer_files import padded, write_tokenizer
from tools.standin.dialogue import Dialogue
from tools.standin.dialogues import generate
from tools.standin.rendering import text


def request_messages(dialogue: Dialogue, lossy: bool) -> list[dict[str, Any]]:
    """The messages that a client would have sent to get the dialogue's whole text as prompt."""
    messages: list[dict[str, Any]] = []
    for index, turn in enumerate(dialogue.turns):
        message: dict[str, Any] = {"role": turn.role, "content": turn.content}
        if turn.calls and not (lossy and index < len(dialogue.turns) - 1):
            functions = [{"name": call.name, "arguments": json.dumps(call.arguments())} for call in turn.calls]
            message["tool_calls"] = [{"id": "0", "type": "function", "function": function} for function in functions]
        messages.append(message)
    return messages


def test_modern_rendering_is_that_of_the_chat_template() -> None:
    template = HFChatTemplate(str(STANDIN))
    for dialogue, how in generate(11, 300):
        if how.style == "modern" and not how.tight_call:
            messages = request_messages(dialogue, how.lossy_calls)
            prompt = template.messages2prompt(messages, tools=list(dialogue.tools) or None)
            # LMDeploy leaves an assistant's last turn open.
            assert prompt == text(dialogue, how).removesuffix("<|im_end|>\n")


def test_fillers_leave_encoding_alone_and_decode_to_words(tmp_path: Path) -> None:
    original = json.loads((STANDIN / "tokenizer.json").read_text(encoding="utf-8"))
    for name in ("config.json", "configuration_internlm2.py", "modeling_internlm2.py"):
        (tmp_path / name).write_bytes((STANDIN / name).read_bytes())
    write_tokenizer(tmp_path, padded(original, 92544), context=4096)
    wide, narrow = (HuggingFaceTokenizer(str(folder), trust_remote_code=True) for folder in (tmp_path, STANDIN))
    sample = "帮我讲述一个故事 w1280 Compute (3+5)*2"
    assert wide.encode(sample) == narrow.encode(sample)
    assert wide.vocab_size == 92544
    assert wide.vocab_size_with_added == 92544
    ids = [5, VOCABULARY, 40000, 92543, 70, 4, 92541]
    assert wide.decode(ids).endswith(" w92541")
    assert " w40000" in wide.decode(ids)
    state, streamed = DetokenizeState(), ""
    for end in range(1, len(ids) + 1):
        piece, state = wide.detokenize_incrementally(ids[:end], state)
        streamed += piece
    assert streamed == wide.decode(ids)
