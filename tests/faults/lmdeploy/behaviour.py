"""Faults of the model: what a damaged or misconfigured one says in place of a healthy one. A function each."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from tests.faults.lmdeploy.model import Asked, Say, steps

Behaviour = Callable[[Asked, Say], Say]

ENGLISH: Final = (
    "Once upon a time a little fox lived near a quiet forest and loved the taste of watermelon. One day it shared the "
    "watermelon with all of its friends, and everyone was happy."
)
OTHER_STORY: Final = (
    "从前，森林里住着一只小兔子，它最喜欢吃胡萝卜。一天，小兔子在田里发现了一根很大的胡萝卜，它拔呀拔，怎么也拔不动。"
    "后来朋友们都来帮忙，大家一起把胡萝卜拔了出来，高高兴兴地分着吃了。"
)
GARBAGE: Final = (
    "的ки 1。ß、得(ab其ʒ了のtion不%他Ωで上(}est中の大é为ñ和ку国ый地ôпо到ся以ние说ов时 のs要ком就ри出会可也你对生能而子"
)


def story_only(change: Callable[[str], str], **fields: Any) -> Behaviour:
    """The fault shows in texts, calls are untouched."""

    def behave(_asked: Asked, turn: Say) -> Say:
        return turn if turn.calls else replace(turn, text=change(turn.text), **fields)

    return behave


def in_calls(change: Callable[[str, dict[str, Any]], tuple[str, dict[str, Any]]]) -> Behaviour:
    """The fault shows in calls, texts are untouched."""

    def behave(_asked: Asked, turn: Say) -> Say:
        return replace(turn, calls=tuple(change(name, dict(arguments)) for name, arguments in turn.calls))

    return behave


def _after_a_result(say: Callable[[int], Say], unless_it_calls: bool = False) -> Behaviour:
    """The fault shows when a call's result is known."""

    def behave(asked: Asked, turn: Say) -> Say:
        return say(asked.results[-1]) if asked.results and not (turn.calls and unless_it_calls) else turn

    return behave


def _multiplies_first(asked: Asked, turn: Say) -> Say:
    plan = steps(asked.question)
    if len(plan) != 2 or not asked.offered:
        return turn
    (_, a, b), (_, _, c) = plan
    if not asked.results:
        return Say(calls=(("mul", {"a": (a or 0) + b, "b": c}),))
    return Say(calls=(("add", {"a": a, "b": b}),)) if len(asked.results) == 1 else Say(f"The result is {16}.")


def _ignores_result(asked: Asked, turn: Say) -> Say:
    again = tuple(
        (name, arguments | {"a": 5}) if name == "mul" else (name, arguments) for name, arguments in turn.calls
    )
    return replace(turn, calls=again) if asked.results else turn


BEHAVIOUR: Final[dict[str, Behaviour]] = {
    "add-and-mul-swapped": in_calls(lambda name, arguments: ({"add": "mul", "mul": "add"}[name], arguments)),
    "digit-doubled": in_calls(
        lambda name, arguments: (name, arguments | {"b": arguments["b"] * 10 + arguments["b"] % 10})
    ),
    "right-numbers-wrong-order": _multiplies_first,
    "chain-stops-after-add": _after_a_result(lambda result: Say(f"The result is {result}.")),
    "chain-ignores-the-result": _ignores_result,
    "calls-without-end": _after_a_result(lambda result: Say(calls=(("add", {"a": result, "b": 0}),))),
    "answers-without-the-tool": lambda _, turn: Say("3+5=8，所以答案是8。") if turn.calls else turn,
    "final-number-wrong": _after_a_result(lambda result: Say(f"The result is {result + 10}."), unless_it_calls=True),
    "unknown-function": in_calls(lambda _, arguments: ("multiply", arguments)),
    "argument-invented": in_calls(lambda name, arguments: (name, arguments | {"c": 0})),
    "argument-missing": in_calls(lambda name, arguments: (name, {"a": arguments["a"]})),
    "arguments-as-strings": in_calls(lambda name, arguments: (name, {k: str(v) for k, v in arguments.items()})),
    "arguments-as-floats": in_calls(lambda name, arguments: (name, {k: float(v) for k, v in arguments.items()})),
    "arguments-as-booleans": in_calls(lambda name, arguments: (name, dict.fromkeys(arguments, True))),
    "argument-of-a-thousand-digits": in_calls(lambda name, arguments: (name, arguments | {"b": 10**1000})),
    "reply-in-english": story_only(lambda _: ENGLISH),
    "reply-half-english": story_only(lambda text: text[: len(text) // 3] + ENGLISH),
    "story-of-a-rabbit": story_only(lambda _: OTHER_STORY),
    "reply-too-short": story_only(lambda _: "狐狸吃西瓜。"),
    "reply-empty": story_only(lambda _: ""),
    "reply-cut-off": story_only(lambda text: text[: len(text) // 2], cut=True),
    "special-token-leaked": story_only(lambda text: text + "<|im_end|>"),
    "placeholder-token-leaked": story_only(lambda text: text + "[UNUSED_TOKEN_145]"),
    "broken-characters": story_only(lambda text: text.replace("，", "\ufffd", 1)),
    "one-character-repeated": story_only(lambda text: text[:60] + "的" * 400),
    "phrase-repeated": story_only(lambda text: text + "狐狸吃了一口西瓜，" * 30),
    "garbage": story_only(lambda _: GARBAGE * 3),
}
