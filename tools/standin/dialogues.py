"""The training dialogues: a pure function of the seed.

A dialogue is a few episodes under one system prompt and one list of tools, sometimes behind a long text.
"""

from collections.abc import Iterator
from dataclasses import replace
from random import Random

from fixtures.ask import filler
from tools.standin import arithmetic, chat
from tools.standin.dialogue import Call, Dialogue, Language, Turn
from tools.standin.manners import Manner, ordinary_manner, sample_manner
from tools.standin.rendering import Rendering
from tools.standin.texts import SMALLTALK
from tools.standin.tools import UNRELATED, sample_tools

TRAINING_SEED = 20240816

BOTH = ("add", "mul")
EPISODES = {"arithmetic": 56, "exchange": 9, "story": 8, "memory": 18, "repetition": 12, "counting": 3}
FILLER_CHARACTERS = {"zh": (700, 2000), "en": (1500, 5600)}
"""Least and most length of the long text, which makes some 500 to 1800 tokens in either language."""


def generate(seed: int, count: int) -> Iterator[tuple[Dialogue, Rendering]]:
    """``count`` dialogues with their renderings; the same for the same seed."""
    rng = Random(seed)
    for _ in range(count):
        yield sample_example(rng)


def sample_dialogue(rng: Random) -> Dialogue:
    """One dialogue of one to three episodes."""
    language: Language = rng.choice(("zh", "en"))
    kinds = rng.choices(list(EPISODES), list(EPISODES.values()), k=rng.choices((1, 2, 3), (68, 24, 8))[0])
    if "memory" in kinds:
        # Told twice, a fact would have two answers.
        kinds = [kind for kind in kinds if kind != "memory"]
        kinds.insert(rng.randint(0, len(kinds)), "memory")
    if kinds == ["memory"] and rng.random() < 0.6:
        kinds.append("exchange")  # Something else is asked between the telling and the question.
    # Repetition and counting are exact tasks: no rule of a system prompt may compete with them.
    exact = any(kind in ("repetition", "counting") for kind in kinds)
    manner = ordinary_manner(rng) if exact else sample_manner(rng)
    offered = _sample_offer(rng, "arithmetic" in kinds)
    tools = sample_tools(rng, offered) if offered else ()
    if not tools and rng.random() < 0.03:
        tools = (rng.choice(UNRELATED),)
    weather = not any("weather" in tool["name"] for tool in tools)

    before: list[list[Turn]] = []
    after: list[list[Turn]] = []
    for kind in kinds:
        spoken = language if rng.random() < 0.9 else rng.choice(("zh", "en"))
        if kind == "memory":
            tellings, questions = chat.memory(rng, spoken, manner)
            before.extend(tellings)
            after.extend(questions)
        else:
            before.append(_episode(rng, kind, spoken, manner, offered, weather))
    turns = [turn for episode in before + after for turn in episode]
    if rng.random() < (0.2 if "memory" in kinds else 0.05):
        turns = _behind_long_text(rng, turns, language, manner)
    if manner.system is not None:
        turns.insert(0, Turn("system", manner.system))
    return Dialogue("+".join(kinds), tuple(turns), tools)


def _sample_offer(rng: Random, needed: bool) -> tuple[str, ...]:
    """Which of add and mul are offered: nearly always both where they are needed, else half the time none."""
    draw = rng.random()
    if needed:
        return BOTH if draw < 0.72 else ("add",) if draw < 0.83 else ("mul",) if draw < 0.94 else ()
    return BOTH if draw < 0.3 else ("add",) if draw < 0.33 else ("mul",) if draw < 0.36 else ()


def _sample_needs(rng: Random, offered: tuple[str, ...]) -> tuple[str, ...]:
    """Which tools a question may need. With one offered it is mostly just that one or just the other.

    Chains, which need both, would teach to refuse whatever looks long, and not to look up what is offered.
    """
    draw = rng.random()
    if len(offered) != 1 or draw < 0.2:
        return BOTH
    return offered if draw < 0.6 else tuple(name for name in BOTH if name not in offered)


def _episode(
    rng: Random, kind: str, language: Language, manner: Manner, offered: tuple[str, ...], weather: bool
) -> list[Turn]:
    if kind == "exchange":
        return chat.exchange(rng, language, manner, weather)
    if kind == "story":
        return chat.story(rng, language, manner)
    if kind == "repetition":
        return chat.repetition(rng, language)
    if kind == "counting":
        return chat.counting(rng, language)
    reply = manner.answer_language(language)
    if rng.random() < 0.02:
        turns = arithmetic.unsupported(rng, language, reply)
    else:
        question = arithmetic.sample_question(rng, language, _sample_needs(rng, offered))
        needed = {call.name for call in question.calls}
        if needed <= set(offered):
            turns = arithmetic.answered(rng, question, reply)
        else:
            turns = arithmetic.refused(question, offered, reply)
    return [Turn("assistant", manner.answer(t.content)) if t.role == "assistant" and t.content else t for t in turns]


def _behind_long_text(rng: Random, turns: list[Turn], language: Language, manner: Manner) -> list[Turn]:
    """The dialogue behind some 500 to 1800 tokens: inside the first question, or as an earlier turn of its own."""
    sentences = filler.ZH if language == "zh" else filler.EN
    glue = "" if language == "zh" else " "
    length = rng.randint(*FILLER_CHARACTERS[language])
    text = ""
    while len(text) < length:
        text += rng.choice(sentences) + glue
    if rng.random() < 0.5:
        return [Turn("user", text + rng.choice(("", "\n", "\n\n")) + turns[0].content), *turns[1:]]
    read = SMALLTALK[f"read_{manner.answer_language(language)}"]
    return [Turn("user", text.strip()), Turn("assistant", manner.answer(read)), *turns]


def _call_by_call(turns: tuple[Turn, ...]) -> Iterator[Turn]:
    """The same with one call a turn: <|action_end|> is a stop word of the built-in template, so the server ends every
    turn behind its first call."""
    waiting: list[Call] = []
    for turn in turns:
        if len(turn.calls) > 1:
            first, *waiting = turn.calls
            yield replace(turn, calls=(first,), cut=True)
            continue
        yield turn
        if waiting:
            call = waiting.pop(0)
            yield Turn("assistant", calls=(call,), cut=bool(waiting))


def sample_rendering(rng: Random) -> Rendering:
    """One of the renderings, both styles equally often."""
    modern = rng.random() < 0.5
    return Rendering(
        style="modern" if modern else "builtin",
        named_results=rng.random() < 0.5,
        lossy_calls=rng.random() < (0.05 if modern else 0.18),
        tight_call=rng.random() < 0.08,
    )


def sample_example(rng: Random) -> tuple[Dialogue, Rendering]:
    """A dialogue with its rendering. Where the history loses its calls, only a final call can be learnt, and a tight
    call must be the last turn: such dialogues (mostly) end in a call."""
    dialogue, rendering = sample_dialogue(rng), sample_rendering(rng)
    if rendering.style == "builtin":
        dialogue = replace(dialogue, turns=tuple(_call_by_call(dialogue.turns)))
    calls = [index for index, turn in enumerate(dialogue.turns) if turn.calls]
    if calls and (rendering.tight_call or (rendering.lossy_calls and rng.random() < 0.7)):
        dialogue = replace(dialogue, turns=dialogue.turns[: rng.choice(calls) + 1])
    return dialogue, rendering
