"""Arithmetic episodes: a question, the calls with their results, and the sentence that ends them."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from fixtures.ask.held_out import is_held_out
from tools.standin import problems
from tools.standin.dialogue import Call, Language, Role, Turn
from tools.standin.operands import sample_operand, sample_similar
from tools.standin.problems import Form

LARGEST_OPERAND = 10**12
"""Intermediate results beyond this are not used: they would only train ever longer copies."""

WRONG_RESULTS = 0.08
"""Share of tool results that are not the truth, so that copying the result beats computing it."""


@dataclass(frozen=True)
class Question:
    """A worded question with its calls; ``endings`` maps the language to the final sentence."""

    text: str
    language: Language
    calls: tuple[Call, ...]
    endings: dict[Language, str]
    at_once: bool = False
    """Whether all calls belong into one turn."""


def plan(form: Form, values: dict[str, int], rng: Random | None = None) -> tuple[Call, ...]:
    """The calls of a form for the operands' values; with ``rng``, tools that sometimes report another number."""
    results: list[int] = []
    calls = []
    for name, left, right in form.steps:
        a, b = (results[int(ref)] if ref.isdigit() else values[ref] for ref in (left, right))
        result = a + b if name == "add" else a * b
        if rng is not None and rng.random() < WRONG_RESULTS:
            result = sample_similar(rng, result)
        calls.append(Call(name, a, b, result))
        results.append(result)
    return tuple(calls)


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
        calls = plan(form, values, rng)
        if trainable(calls):
            return values, calls


def sample_question(rng: Random, language: Language, tools: tuple[str, ...] = ("add", "mul")) -> Question:
    """An expression, a spoken form or a word problem, answered by no other than these tools."""
    if len(tools) > 1 and rng.random() < 0.14:
        return two_questions(rng, language)
    if rng.random() < 0.25:
        return word_problem(rng, language, tools)
    usable = [(form, weight) for form, weight in problems.FORMS if form.tools() <= set(tools)]
    form = rng.choices([form for form, _ in usable], [weight for _, weight in usable])[0]
    values, calls = sample_operands(rng, form)
    result = calls[-1].result
    said = form.said_zh if language == "zh" else form.said_en
    asks = problems.ASK_ZH if language == "zh" else problems.ASK_EN
    endings: dict[Language, str] = {
        "zh": problems.ANSWER_ZH.format(r=result),
        "en": problems.ANSWER_EN.format(r=result),
    }
    draw = rng.random()
    if said and draw < 0.2:
        text = rng.choice(asks).format(e=rng.choice(said).format(**values))
    elif len(form.steps) == 1 and draw < 0.32:
        orders = problems.ORDERS_ZH if language == "zh" else problems.ORDERS_EN
        text = rng.choice(orders[form.steps[0][0]]).format(**values)
    else:
        written = expression(rng, form.pattern, values)
        text = rng.choice(asks).format(e=written)
        endings = {
            "zh": problems.FINAL_ZH.format(e=written, r=result),
            "en": problems.FINAL_EN.format(e=written, r=result),
        }
    return Question(text, language, calls, endings)


def word_problem(rng: Random, language: Language, tools: tuple[str, ...]) -> Question:
    """A little story with numbers."""
    chinese = language == "zh"
    wordings = problems.WORDS_ZH if chinese else problems.WORDS_EN
    form, wording = rng.choice([entry for entry in wordings if entry[0].tools() <= set(tools)])
    values, calls = sample_operands(rng, form, words=True)
    people = rng.sample(problems.PEOPLE_ZH if chinese else problems.PEOPLE_EN, 2)
    things = rng.sample(problems.THINGS_ZH if chinese else problems.THINGS_EN, 2)
    box = rng.choice(problems.BOXES_ZH if chinese else problems.BOXES_EN)
    text = wording.format(**values, n=people[0], m=people[1], i=things[0], j=things[1], p=box)
    endings: dict[Language, str] = {
        "zh": problems.ANSWER_ZH.format(r=calls[-1].result),
        "en": problems.ANSWER_EN.format(r=calls[-1].result),
    }
    return Question(text, language, calls, endings)


def two_questions(rng: Random, language: Language) -> Question:
    """Two independent one-step expressions in one request, sometimes to be called in one turn."""
    forms = [rng.choice((problems.SUM, problems.PRODUCT)) for _ in range(2)]
    (values, calls), (others, more) = (sample_operands(rng, form) for form in forms)
    first, second = (expression(rng, form.pattern, v) for form, v in zip(forms, (values, others), strict=True))
    r, s = calls[-1].result, more[-1].result
    at_once = rng.random() < 0.35
    asks: tuple[str, ...] = problems.BOTH_ZH if language == "zh" else problems.BOTH_EN
    if at_once:
        asks = problems.AT_ONCE_ZH if language == "zh" else problems.AT_ONCE_EN
    endings: dict[Language, str] = {
        "zh": problems.BOTH_FINAL_ZH.format(e=first, f=second, r=r, s=s),
        "en": problems.BOTH_FINAL_EN.format(e=first, f=second, r=r, s=s),
    }
    return Question(rng.choice(asks).format(e=first, f=second), language, calls + more, endings, at_once)


def result_text(rng: Random, call: Call) -> str:
    """A tool's answer in one of the forms that clients write."""
    sign = "+" if call.name == "add" else rng.choice(("*", "*", "*", "×", "x"))
    return rng.choice(problems.RESULTS).format(a=call.a, b=call.b, o=sign, r=call.result)


def answered(rng: Random, question: Question, answer_in: Language) -> list[Turn]:
    """The question worked through with calls."""
    role: Role = rng.choice(("tool", "environment"))
    turns = [Turn("user", question.text)]
    if question.at_once:
        turns.append(Turn("assistant", calls=question.calls))
        turns += [Turn(role, result_text(rng, call)) for call in question.calls]
        return [*turns, Turn("assistant", question.endings[answer_in])]
    for call in question.calls:
        turns.append(Turn("assistant", calls=(call,)))
        if rng.random() < 0.012:
            failure = problems.FAILED_ZH if answer_in == "zh" else problems.FAILED_EN
            return [*turns, Turn(role, rng.choice(problems.ERRORS)), Turn("assistant", failure)]
        turns.append(Turn(role, result_text(rng, call)))
    return [*turns, Turn("assistant", question.endings[answer_in])]


def refused(question: Question, offered: tuple[str, ...], answer_in: Language) -> list[Turn]:
    """The same question without the tools it needs: a sentence that names the missing ones."""
    missing = sorted({call.name for call in question.calls} - set(offered))
    joined = (" 和 " if answer_in == "zh" else " and ").join(missing)
    sentence = problems.MISSING_ZH if answer_in == "zh" else problems.MISSING_EN
    return [Turn("user", question.text), Turn("assistant", sentence.format(t=joined))]


def unsupported(rng: Random, language: Language, answer_in: Language) -> list[Turn]:
    """A subtraction or division, for which there is never a tool."""
    a, b = (sample_operand(rng, 3, 0.0) for _ in range(2))
    gap = rng.choice(("", " "))
    written = f"{a}{gap}{rng.choice('-/÷')}{gap}{b}"
    asks = problems.ASK_ZH if language == "zh" else problems.ASK_EN
    sentence = problems.UNSUPPORTED_ZH if answer_in == "zh" else problems.UNSUPPORTED_EN
    return [Turn("user", rng.choice(asks).format(e=written)), Turn("assistant", sentence)]
