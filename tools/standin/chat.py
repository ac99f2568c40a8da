"""Episodes without tools: small talk, stories, memory, repetition and counting."""

from random import Random

from fixtures.ask import filler
from fixtures.ask.held_out import HELD_OUT_NAMES
from tools.standin.dialogue import Language, Turn
from tools.standin.manners import Manner, random_word
from tools.standin.texts import MEMORY, SMALLTALK, STORIES


def exchange(rng: Random, language: Language, manner: Manner, weather: bool = True) -> list[Turn]:
    """A greeting or a plain question. ``weather=False`` leaves out the one that an offered tool might answer."""
    chosen = rng.choice([each for each in SMALLTALK["exchanges"] if weather or "weather" not in each["answer_en"]])
    answer = chosen[f"answer_{manner.answer_language(language)}"]
    return [Turn("user", rng.choice(chosen[f"ask_{language}"])), Turn("assistant", manner.answer(answer))]


def story(rng: Random, language: Language, manner: Manner) -> list[Turn]:
    """A request for a story about an animal and a fruit; half of them are the homework's pair."""
    homework = rng.random() < 0.5
    animal = "狐狸" if homework else rng.choice(list(STORIES["animals"]))
    fruit = "西瓜" if homework else rng.choice(list(STORIES["fruits"]))
    names = {
        "zh": {"x": animal, "y": fruit},
        "en": {"x": STORIES["animals"][animal], "y": STORIES["fruits"][fruit]},
    }
    requests = STORIES[f"requests_{language}"]
    ask = requests[0] if language == "zh" and rng.random() < 0.3 else rng.choice(requests)
    reply = manner.answer_language(language)
    told = ("" if reply == "zh" else " ").join(rng.choice(options) for options in STORIES[f"story_{reply}"])
    answer = manner.answer(told.format(**names[reply]))
    return [Turn("user", ask.format(**names[language])), Turn("assistant", answer)]


def _values(rng: Random, kind: str) -> dict[Language, str]:
    """Draw a fact's value as each language writes it."""
    pools = {"colour": MEMORY["colours"], "city": MEMORY["cities"], "food": MEMORY["foods"]}
    if kind in pools:
        chinese = rng.choice(list(pools[kind]))
        return {"zh": chinese, "en": pools[kind][chinese]}
    value = str(rng.randrange(10 ** rng.randint(1, 6))) if kind == "number" else _name(rng)
    return {"zh": value, "en": value}


def _name(rng: Random) -> str:
    """A name that is not held out; most are made up, so that copying is learnt and not the names."""
    while (name := _any_name(rng)) in HELD_OUT_NAMES:
        pass
    return name


def _any_name(rng: Random) -> str:
    draw = rng.random()
    hanzi: str = MEMORY["hanzi"]
    if draw < 0.2:
        return rng.choice("小小小小阿老大") + rng.choice(hanzi)
    if draw < 0.25:
        return rng.choice(hanzi) * 2
    if draw < 0.42:
        return str(rng.choice(MEMORY["surnames"])) + "".join(rng.choice(hanzi) for _ in range(rng.randint(1, 2)))
    if draw < 0.5:
        return str(rng.choice(MEMORY["names_en"]))
    if draw < 0.85:
        return _spoken_name(rng)
    return random_word(rng).capitalize()


def _spoken_name(rng: Random) -> str:
    """A few Latin syllables, some with a doubled consonant or a silent end, as in Anna, Grace or Petrovik."""
    name = rng.choice(("", "", rng.choice("aeiou")))
    for number in range(rng.choice((1, 2, 2, 3))):
        onset = rng.choice(MEMORY["onsets"])
        if number + len(name) and len(onset) == 1 and rng.random() < 0.2:
            onset *= 2
        name += onset + rng.choice(MEMORY["nuclei"]) + rng.choice(MEMORY["codas"])
    return name.capitalize() + rng.choice(("", "", "", "", "e", "y", "a"))


def memory(rng: Random, language: Language, manner: Manner) -> tuple[list[list[Turn]], list[list[Turn]]]:
    """One or two facts told, and later asked for: the tellings and the questions, for others to come between."""
    tellings, questions = [], []
    name, *others = MEMORY["facts"]
    chosen = [name, *rng.sample(others, rng.choice((0, 0, 0, 1)))] if rng.random() < 0.5 else rng.sample(others, 1)
    rng.shuffle(chosen)
    for fact in chosen:
        value = _values(rng, fact["kind"])
        reply = manner.answer_language(language)
        # A value is repeated as it was told where the languages differ only by name; a colour is translated.
        tell = rng.choice(fact[f"tell_{language}"]).format(v=value[language])
        noted = fact[f"noted_{reply}"].format(v=value[reply])
        ask = rng.choice(fact[f"ask_{language}"])
        answer = fact[f"answer_{reply}"].format(v=value[reply])
        tellings.append([Turn("user", tell), Turn("assistant", manner.answer(noted))])
        questions.append([Turn("user", ask), Turn("assistant", manner.answer(answer))])
    rng.shuffle(questions)
    return tellings, questions


def repetition(rng: Random, language: Language) -> list[Turn]:
    """A text to be repeated exactly. Free of the manner's rules, which would contradict the task."""
    text = " ".join(_piece(rng) for _ in range(rng.choice((1, 1, 1, 2, 3))))
    ask = rng.choice(SMALLTALK[f"repeat_{language}"])
    return [Turn("user", ask.format(t=text)), Turn("assistant", text)]


def _cut(rng: Random) -> str:
    """Two to eight characters out of a Chinese sentence."""
    sentence: str = rng.choice(rng.choice((filler.ZH, *STORIES["story_zh"]))).format(x="狐狸", y="西瓜")
    start = rng.randrange(len(sentence) - 2)
    return sentence[start : start + rng.randint(2, 8)]


_HANZI = (
    MEMORY["hanzi"] + MEMORY["surnames"],
    sorted({sign for text in filler.ZH for sign in text} - set("，。、")),
)
"""Hanzi of names, and those of running text."""


def _piece(rng: Random) -> str:
    draw = rng.randrange(9)
    if draw == 8:
        return _name(rng)
    if draw == 0:
        return rng.choice(filler.ZH)
    if draw == 1:
        return rng.choice(filler.EN)
    if draw >= 6:
        # Cut and joined anywhere, so that copying is learnt and not the sentences.
        return "".join(_cut(rng) for _ in range(rng.randint(1, 3)))
    if draw == 2:
        return str(rng.randrange(10 ** rng.randint(1, 9)))
    if draw == 3:
        return " ".join(rng.choice(rng.choice(filler.EN).strip(".").split()) for _ in range(rng.randint(1, 6)))
    if draw == 4:
        return "".join(rng.choice(rng.choice(_HANZI)) for _ in range(rng.randint(1, 12)))
    return random_word(rng)


def counting(rng: Random, language: Language) -> list[Turn]:
    """Counting up to at most 30, mostly from 1."""
    first = 1 if rng.random() < 0.8 else rng.randint(2, 15)
    last = rng.randint(first + 1, 30)
    ask = rng.choice(SMALLTALK[f"count_{language}"]).format(a=first, b=last)
    return [Turn("user", ask), Turn("assistant", ", ".join(str(n) for n in range(first, last + 1)))]
