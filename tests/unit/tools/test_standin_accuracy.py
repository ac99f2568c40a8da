"""The accuracy measurement: what counts as a right answer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.answers import answer, tool_call
from tools.standin.accuracy import SAMPLINGS, gpu, play, updated
from tools.standin.problemset import Problem, problem_set

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletion

(PROBLEM,) = problem_set("chain", 1)


def client(*answers: Any) -> Any:
    """An OpenAI client that answers from a list."""
    from openai.types.chat import ChatCompletion

    waiting = [
        ChatCompletion.model_validate(
            {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "usage": None}
            | {"choices": [{"index": 0, **found.body["choices"][0]}]}
        )
        for found in answers
    ]
    asked: list[Any] = []

    def create(**request: Any) -> ChatCompletion:
        asked.append(request)
        return waiting.pop(0)

    return SimpleNamespace(chat=SimpleNamespace(completions=SimpleNamespace(create=create)), asked=asked)


def right(problem: Problem) -> list[Any]:
    calls = [answer(calls=[tool_call(call.name, *call.arguments().values())]) for call in problem.calls]
    return [*calls, answer(f"The result is {problem.result}.")]


def test_a_right_answer() -> None:
    asked = client(*right(PROBLEM))
    fault, messages = play(asked, "m", PROBLEM, SAMPLINGS[0])
    assert fault is None
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "assistant", "tool", "assistant"]
    assert str(PROBLEM.result) in messages[4]["content"]
    assert [tool["function"]["name"] for tool in asked.asked[0]["tools"]] == ["add", "mul"]


@pytest.mark.parametrize(
    ("step", "bad", "words"),
    [
        (0, answer("I wonder."), "step 1: 0 calls"),
        (0, answer(calls=[tool_call("add", 1, 2)]), "wanted"),
        (0, answer(calls=[tool_call("add", "1", 2)]), "text in place of an integer"),
        (0, answer(calls=[tool_call("sub", 1, 2)]), "not offered"),
        (0, answer(calls=right(PROBLEM)[0].tool_calls, reason="stop"), "finish_reason 'stop'"),
        (2, answer("The result is 1."), "wanted"),
        (2, answer(f"w{PROBLEM.result}"), "wanted"),
        (2, answer(f"{PROBLEM.result}", reason="length"), "(length)"),
    ],
)
def test_a_wrong_answer_is_told_by_its_fault(step: int, bad: Any, words: str) -> None:
    answers = right(PROBLEM)
    answers[step] = bad
    fault, _ = play(client(*answers), "m", PROBLEM, SAMPLINGS[0])
    assert fault is not None
    assert words in fault


def test_new_rows_take_the_place_of_the_old_ones_of_their_name() -> None:
    old = [{"served": "bf16", "task": task, "temperature": 0.0, "k": 1} for task in ("chain", "words")]
    new = [{"served": "bf16", "task": "chain", "temperature": 0.0, "k": 2}]
    assert updated({"rows": old}, new) == [old[1], *new]


def test_a_machine_without_a_gpu_is_recorded_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpu() is None
