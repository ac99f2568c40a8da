"""The generator: deterministic, never a held-out operand, stories of the promised length."""

import hashlib
import json
from dataclasses import replace
from functools import cache
from itertools import product

from fixtures.ask.held_out import HELD_OUT_NAMES, is_held_out
from tools.standin import rendering
from tools.standin.dialogue import Call, Dialogue, Turn
from tools.standin.dialogues import TRAINING_SEED, generate
from tools.standin.rendering import Rendering
from tools.standin.texts import STORIES

MANY = 4000


@cache
def many() -> tuple[tuple[Dialogue, Rendering], ...]:
    """Drawn once: half a second each time."""
    return tuple(generate(TRAINING_SEED, MANY))


def test_same_seed_gives_the_same_dialogues_as_when_the_stand_in_was_trained() -> None:
    drawn = hashlib.sha256()
    for dialogue, how in generate(TRAINING_SEED, 2000):
        drawn.update(repr((dialogue, how)).encode())
        drawn.update(rendering.text(dialogue, how).encode())
    assert drawn.hexdigest() == "921b671de0ff09ad4007e83ddcf42a52ba952b82cd2c3fcd305274e64ea0d632"


def test_held_out_numbers_never_are_operands() -> None:
    calls = [call for dialogue, _ in many() for turn in dialogue.turns for call in turn.calls]
    assert len(calls) > MANY / 2
    assert not [call for call in calls if is_held_out(call.a) or is_held_out(call.b)]


def test_held_out_names_are_never_told() -> None:
    turns = [turn for dialogue, _ in many() for turn in dialogue.turns]
    greeted = [turn.content for turn in turns if turn.role == "assistant" and "很高兴认识你" in turn.content]
    assert len(greeted) > MANY / 50
    # Told twice, a name would be two answers to one question.
    assert all(sum("认识你" in turn.content for turn in dialogue.turns) <= 1 for dialogue, _ in many())
    assert not [text for text in greeted for name in HELD_OUT_NAMES if f"你好，{name}！" in text]


def test_calls_share_a_turn_only_where_the_server_does_not_end_it() -> None:
    shared = dict.fromkeys(("modern", "builtin"), 0)
    cut = dict(shared)
    for dialogue, how in many():
        shared[how.style] += any(len(turn.calls) > 1 for turn in dialogue.turns)
        cut[how.style] += any(turn.cut for turn in dialogue.turns)
    assert shared["modern"] > 20
    assert cut["builtin"] > 20
    assert not shared["builtin"]
    assert not cut["modern"]


def test_every_chinese_story_has_120_to_300_characters() -> None:
    for animal, fruit in (("狐狸", "西瓜"), ("小猫", "梨")):
        for path in product(*STORIES["story_zh"]):
            told = "".join(path).format(x=animal, y=fruit)
            assert len(told) >= 120, told
            assert len(told) <= 300, told
            assert animal in told
            assert fruit in told


CHAIN = Dialogue(
    "arithmetic",
    (
        Turn("user", "Compute (3+5)*2"),
        Turn("assistant", calls=(Call("add", 3, 5, 8),)),
        Turn("tool", "3+5=8"),
        Turn("assistant", calls=(Call("mul", 8, 2, 16),)),
        Turn("tool", "8*2=16"),
        Turn("assistant", "The result of (3+5)*2 is 16."),
    ),
)


def learnt(dialogue: Dialogue, how: Rendering) -> list[str]:
    """The learnt pieces, adjacent ones joined."""
    joined: list[str] = []
    open_piece = False
    for piece, wanted in rendering.spans(dialogue, how):
        if wanted and open_piece:
            joined[-1] += piece
        elif wanted:
            joined.append(piece)
        open_piece = wanted
    return joined


def test_learnt_pieces_are_exactly_the_assistants_turns() -> None:
    pieces = learnt(CHAIN, Rendering("modern"))
    assert len(pieces) == 3
    assert all(piece.endswith("<|im_end|>") for piece in pieces)
    head, tail = pieces[0].split("\n")
    assert head == "<|action_start|><|plugin|>"
    call, _, end = tail.partition("<|action_end|>")
    assert json.loads(call) == {"name": "add", "parameters": {"a": 3, "b": 5}}
    assert end == "<|im_end|>"


def test_calls_of_one_turn_are_learnt_together_and_a_cut_end_is_not() -> None:
    calls = (Call("add", 3, 5, 8), Call("mul", 6, 2, 12))
    (piece,) = learnt(Dialogue("arithmetic", (CHAIN.turns[0], Turn("assistant", calls=calls))), Rendering("modern"))
    assert piece.count("<|action_start|><|plugin|>\n{") == piece.count("<|action_end|>") == 2
    assert piece.endswith("<|action_end|><|im_end|>")
    cut = Turn("assistant", calls=calls[:1], cut=True)
    (piece,) = learnt(Dialogue("arithmetic", (CHAIN.turns[0], cut)), Rendering("builtin"))
    assert piece.endswith("<|action_end|>")


def test_final_call_is_learnt_of_a_lossy_history_and_of_a_tight_call() -> None:
    cut = replace(CHAIN, turns=CHAIN.turns[:4])
    assert learnt(CHAIN, Rendering("builtin", lossy_calls=True)) == ["The result of (3+5)*2 is 16.<|im_end|>"]
    (last,) = learnt(cut, Rendering("builtin", lossy_calls=True))
    assert '"mul"' in last
    *_, last = learnt(cut, Rendering("modern", tight_call=True))
    assert last == 'name": "mul", "parameters": {"a": 8, "b": 2}}<|action_end|></s>'
