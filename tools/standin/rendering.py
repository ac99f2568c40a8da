"""The two prompt renderings that LMDeploy versions produce, as text with the spans that the model must learn.

``modern`` is the checkpoint's own chat template, used from LMDeploy 0.10 on; ``builtin`` is the internlm2 template
inside LMDeploy up to 0.9.2, which supplies a system prompt of its own when the request has none.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tools.standin.dialogue import Call, Dialogue, Turn

Style = Literal["modern", "builtin"]

# LMDeploy's default for InternLM2 (lmdeploy/model.py, 0.5.3 to 0.9.2): a test compares it byte for byte.
BUILTIN_SYSTEM = (
    "You are an AI assistant whose name is InternLM (书生·浦语).\n"
    "- InternLM (书生·浦语) is a conversational language model that is developed by Shanghai AI Laboratory "
    "(上海人工智能实验室). It is designed to be helpful, honest, and harmless.\n"
    "- InternLM (书生·浦语) can understand and communicate fluently in the language chosen by the user such as "
    "English and 中文.\n"
)
CALL_OPEN = "<|action_start|><|plugin|>"
CALL_CLOSE = "<|action_end|>"
TURN_END = "<|im_end|>"
END = "</s>"


@dataclass(frozen=True)
class Rendering:
    """How one prompt is written.

    ``named_results``: the result's header says ``name=<|plugin|>`` (always so in the modern template, up to the
    client in the built-in one). ``lossy_calls``: calls vanish from the history (all but a final one), as 0.5.3 drops
    tool_calls.
    ``tight_call``: the last turn is a call without a newline before its JSON and with ``</s>`` after it, as the grammar
    of ``tool_choice="required"`` forces it.
    """

    style: Style
    named_results: bool = True
    lossy_calls: bool = False
    tight_call: bool = False


Span = tuple[str, bool]


def call_json(call: Call) -> str:
    """The call as InternLM2.5 writes it: name first, then parameters, with json.dumps' default spacing."""
    return json.dumps({"name": call.name, "parameters": call.arguments()}, ensure_ascii=False)


def spans(dialogue: Dialogue, rendering: Rendering) -> Iterator[Span]:
    """Pieces of the rendered dialogue, each with whether the model is trained to produce it."""
    yield "<s>", False
    turns = list(dialogue.turns)
    system = turns.pop(0).content if turns[0].role == "system" else None
    if system is None and rendering.style == "builtin":
        system = BUILTIN_SYSTEM
    if system is not None:
        yield f"<|im_start|>system\n{system}{TURN_END}\n", False
    if dialogue.tools:
        listing = json.dumps(list(dialogue.tools), ensure_ascii=False)
        yield f"<|im_start|>system name=<|plugin|>\n{listing}{TURN_END}\n", False
    for index, turn in enumerate(turns):
        if turn.role == "assistant":
            last = index == len(turns) - 1
            yield from _assistant(turn, rendering.lossy_calls and not last, rendering.tight_call and last)
        elif turn.role in ("tool", "environment"):
            name = " name=<|plugin|>" if rendering.named_results or rendering.style == "modern" else ""
            yield f"<|im_start|>environment{name}\n{turn.content}{TURN_END}\n", False
        else:
            yield f"<|im_start|>{turn.role}\n{turn.content}{TURN_END}\n", False


def _assistant(turn: Turn, lost: bool, tight: bool) -> Iterator[Span]:
    """An assistant turn; its closing tag is learnt, the newline after it is the template's."""
    yield "<|im_start|>assistant\n", False
    if turn.content:
        yield turn.content, True
    if not turn.calls:
        yield TURN_END, True
    elif lost:
        yield TURN_END, False
    elif tight and len(turn.calls) == 1:
        # The grammar forces the opening and the brace, so the model must go on from there but never choose it. It
        # allows no other end than the tokenizer's </s>, or else white space up to the limit.
        call = call_json(turn.calls[0])
        yield CALL_OPEN + call[:2], False
        yield call[2:] + CALL_CLOSE + END, True
    else:
        for each in turn.calls:
            yield f"{CALL_OPEN}\n{call_json(each)}{CALL_CLOSE}", True
        yield TURN_END, not turn.cut
    yield "\n", False


def text(dialogue: Dialogue, rendering: Rendering) -> str:
    """The whole rendered dialogue."""
    return "".join(piece for piece, _ in spans(dialogue, rendering))
