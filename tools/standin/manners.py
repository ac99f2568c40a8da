"""System prompts, and what they demand of every answer."""

from dataclasses import dataclass
from random import Random

from tools.standin.dialogue import Language
from tools.standin.texts import SMALLTALK


@dataclass(frozen=True)
class Manner:
    """A system prompt (None: no system message) with the answers' language, opening and ending that it asks for."""

    system: str | None = None
    language: Language | None = None
    opening: str = ""
    ending: str = ""

    def answer(self, text: str) -> str:
        """The text in this manner; its language is the caller's to choose."""
        return self.opening + text + self.ending

    def answer_language(self, asked_in: Language) -> Language:
        return self.language or asked_in


PLAIN = Manner()


def ordinary_manner(rng: Random) -> Manner:
    """No system prompt or one without a rule."""
    return PLAIN if rng.random() < 0.5 else Manner(system=rng.choice(SMALLTALK["systems"]))


def sample_manner(rng: Random) -> Manner:
    """Mostly no or an ordinary system prompt, sometimes one with a rule."""
    draw = rng.random()
    if draw < 0.76:
        return ordinary_manner(rng)
    # A rule may stand alone or follow an ordinary prompt.
    before = rng.choice(("", "", rng.choice(SMALLTALK["systems"])))
    if draw < 0.86:
        return Manner(system=before + rng.choice(SMALLTALK["english_only"]), language="en")
    if draw < 0.88:
        return Manner(system=before + rng.choice(SMALLTALK["chinese_only"]), language="zh")
    # Mostly a fixed word, sometimes any letters or hanzi, so that copying is what is learnt.
    word = str(rng.choice(SMALLTALK["endings"])) if rng.random() < 0.6 else random_word(rng)
    if draw < 0.96:
        return Manner(system=before + rng.choice(SMALLTALK["ending_rules"]).format(w=word), ending=word)
    return Manner(system=before + rng.choice(SMALLTALK["opening_rules"]).format(w=word), opening=word)


def random_word(rng: Random) -> str:
    """A word that means nothing, of letters or of hanzi."""
    if rng.random() < 0.5:
        return "".join(
            rng.choice("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(rng.randint(2, 7))
        )
    # The block U+4E00..U+9FA5; common and rare characters alike are three byte tokens to a tokenizer that lacks them.
    return "".join(chr(rng.randint(0x4E00, 0x9FA5)) for _ in range(rng.randint(1, 3)))
