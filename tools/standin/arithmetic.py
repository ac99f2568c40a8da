"""Arithmetic episodes: a question, the calls with their results, and the sentence that ends them."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Final, NamedTuple

from fixtures.ask.held_out import is_held_out
from tools.standin.dialogue import Call, Language, Role, Turn
from tools.standin.operands import sample_operand, sample_similar
from tools.standin.texts import PROBLEMS

LARGEST_OPERAND: Final = 10**12
"""Intermediate results beyond this are not used: they would only train ever longer copies."""

WRONG_RESULTS: Final = 0.08
"""Share of tool results that are not the truth, so that copying the result beats computing it."""


class Form(NamedTuple):
    """An expression; the calls that compute it (letters are operands, "0" and "1" earlier results); how often it is
    drawn, relative to the others; and how it is said in words."""

    pattern: str
    steps: tuple[tuple[str, str, str], ...]
    weight: int
    said_zh: tuple[str, ...]
    said_en: tuple[str, ...]

    def tools(self) -> set[str]:
        """Names of the tools that it needs."""
        return {name for name, _, _ in self.steps}

    def calls(self, values: dict[str, int], rng: Random) -> tuple[Call, ...]:
        """The calls for the operands' values, of tools that sometimes report another number."""
        calls: list[Call] = []
        for name, *operands in self.steps:
            a, b = (calls[int(one)].result if one.isdigit() else values[one] for one in operands)
            result = a + b if name == "add" else a * b
            if rng.random() < WRONG_RESULTS:
                result = sample_similar(rng, result)
            calls.append(Call(name, a, b, result))
        return tuple(calls)


FORMS: Final = {name: Form(**form) for name, form in PROBLEMS["forms"].items()}


@dataclass(frozen=True)
class Question:
    """A worded question with its calls, and the final sentence: its name among the texts, and its values."""

    text: str
    calls: tuple[Call, ...]
    ending: str
    values: Mapping[str, object]
    at_once: bool = False
    """Whether all calls belong into one turn."""

    def ending_in(self, language: Language) -> Turn:
        """The turn with the final sentence."""
        return Turn("assistant", PROBLEMS[f"{self.ending}_{language}"].format(**self.values))


def trainable(calls: tuple[Call, ...]) -> bool:
    """Whether no operand is held out or too large."""
    numbers = [n for call in calls for n in (call.a, call.b)]
    return not any(is_held_out(n) or abs(n) > LARGEST_OPERAND for n in numbers)


def expression(rng: Random, pattern: str, values: dict[str, int]) -> str:
    """The pattern with its operands, in one of the usual notations."""
    gap = rng.choice(("", "", " "))
    times = rng.choice(("*", "*", "*", "×", "x")) if gap else rng.choice(("*", "*", "*", "×"))
    bare, wrapped = rng.random() < 0.3, rng.random() < 0.06
    pieces = []
    for position, sign in enumerate(pattern):
        if sign in values:
            text = str(values[sign])
            opening = position == 0 or pattern[position - 1] == "("
            plain = opening or bare if values[sign] < 0 else not (wrapped and rng.random() < 0.5)
            pieces.append(text if plain else f"({text})")
        elif sign in "+*":
            pieces.append(f"{gap}{times if sign == '*' else sign}{gap}")
        else:
            pieces.append(sign)
    return "".join(pieces)


def sample_operands(rng: Random, form: Form, words: bool = False) -> tuple[dict[str, int], tuple[Call, ...]]:
    """Operands for the form's letters, and its calls, such that nothing held out is passed to a call."""
    letters = sorted({sign for sign in form.pattern if sign.isalpha()})
    while True:
        most = rng.choice((1, 2, 2, 3, 3, 4, 6, 6, 6))
        negative = 0.0 if words else rng.choice((0.0, 0.0, 0.0, 0.3))
        values = {letter: sample_operand(rng, most, negative) for letter in letters}
        if len(letters) > 1 and rng.random() < 0.15:
            near = sample_similar(rng, values[letters[0]])
            values[rng.choice(letters[1:])] = near
        calls = form.calls(values, rng)
        if trainable(calls):
            return values, calls


def sample_question(rng: Random, language: Language, tools: tuple[str, ...] = ("add", "mul")) -> Question:
    """An expression, a spoken form or a word problem, answered by no other than these tools."""
    if len(tools) > 1 and rng.random() < 0.14:
        return two_questions(rng, language)
    if rng.random() < 0.25:
        return word_problem(rng, language, tools)
    usable = [form for form in FORMS.values() if form.tools() <= set(tools)]
    form = rng.choices(usable, [form.weight for form in usable])[0]
    values, calls = sample_operands(rng, form)
    said = form.said_zh if language == "zh" else form.said_en
    ending, shown = "answer", {"r": str(calls[-1].result)}
    draw = rng.random()
    if said and draw < 0.2:
        text = rng.choice(PROBLEMS[f"ask_{language}"]).format(e=rng.choice(said).format(**values))
    elif len(form.steps) == 1 and draw < 0.32:
        text = rng.choice(PROBLEMS[f"orders_{language}"][form.steps[0][0]]).format(**values)
    else:
        written = expression(rng, form.pattern, values)
        text = rng.choice(PROBLEMS[f"ask_{language}"]).format(e=written)
        ending, shown = "final", {**shown, "e": written}
    return Question(text, calls, ending, shown)


def word_problem(rng: Random, language: Language, tools: tuple[str, ...]) -> Question:
    """A little story with numbers."""
    words = [(FORMS[name], text) for name, texts in PROBLEMS[f"words_{language}"].items() for text in texts]
    form, wording = rng.choice([(form, text) for form, text in words if form.tools() <= set(tools)])
    values, calls = sample_operands(rng, form, words=True)
    text = wording.format(**values, **_cast(rng, language))
    return Question(text, calls, "answer", {"r": calls[-1].result})


def _cast(rng: Random, language: Language) -> dict[str, str]:
    """People, things and a container of a word problem, by their letters."""
    people, things = (rng.sample(PROBLEMS[f"{kind}_{language}"], 2) for kind in ("people", "things"))
    return {
        "n": people[0],
        "m": people[1],
        "i": things[0],
        "j": things[1],
        "p": rng.choice(PROBLEMS[f"boxes_{language}"]),
    }


def two_questions(rng: Random, language: Language) -> Question:
    """Two independent one-step expressions in one request, sometimes to be called in one turn."""
    forms = [rng.choice((FORMS["sum"], FORMS["product"])) for _ in range(2)]
    (values, calls), (others, more) = (sample_operands(rng, form) for form in forms)
    first, second = (expression(rng, form.pattern, v) for form, v in zip(forms, (values, others), strict=True))
    at_once = rng.random() < 0.35
    text = rng.choice(PROBLEMS[f"{'at_once' if at_once else 'both'}_{language}"]).format(e=first, f=second)
    shown = {"e": first, "f": second, "r": calls[-1].result, "s": more[-1].result}
    return Question(text, calls + more, "both_final", shown, at_once)


def result_text(rng: Random, call: Call) -> str:
    """A tool's answer in one of the forms that clients write."""
    sign = "+" if call.name == "add" else rng.choice(("*", "*", "*", "×", "x"))
    text: str = rng.choice(PROBLEMS["results"])
    return text.format(a=call.a, b=call.b, o=sign, r=call.result)


def answered(rng: Random, question: Question, answer_in: Language) -> list[Turn]:
    """The question worked through with calls."""
    role: Role = rng.choice(("tool", "environment"))
    turns = [Turn("user", question.text)]
    ending = question.ending_in(answer_in)
    if question.at_once:
        turns.append(Turn("assistant", calls=question.calls))
        return [*turns, *(Turn(role, result_text(rng, call)) for call in question.calls), ending]
    for call in question.calls:
        turns.append(Turn("assistant", calls=(call,)))
        if rng.random() < 0.012:
            failed = Turn(role, rng.choice(PROBLEMS["errors"]))
            return [*turns, failed, Turn("assistant", PROBLEMS[f"failed_{answer_in}"])]
        turns.append(Turn(role, result_text(rng, call)))
    return [*turns, ending]


def refused(question: Question, offered: tuple[str, ...], answer_in: Language) -> list[Turn]:
    """The same question without the tools it needs: a sentence that names the missing ones."""
    missing = sorted({call.name for call in question.calls} - set(offered))
    joined = (" 和 " if answer_in == "zh" else " and ").join(missing)
    return [Turn("user", question.text), Turn("assistant", PROBLEMS[f"missing_{answer_in}"].format(t=joined))]


def unsupported(rng: Random, language: Language, answer_in: Language) -> list[Turn]:
    """A subtraction or division, for which there is never a tool."""
    a, b = (sample_operand(rng, 3, 0.0) for _ in range(2))
    gap = rng.choice(("", " "))
    written = f"{a}{gap}{rng.choice('-/÷')}{gap}{b}"
    text = rng.choice(PROBLEMS[f"ask_{language}"]).format(e=written)
    return [Turn("user", text), Turn("assistant", PROBLEMS[f"unsupported_{answer_in}"])]
