"""The homework's own questions, asked many times with fixed seeds: one kind for each claim about content."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Final

from fixtures.ask.conversation import MAX_TOKENS
from fixtures.ask.load import Endpoint
from fixtures.ask.questions import ADD, CHAIN, GREEDY, MULTIPLY, Question
from fixtures.ask.scoring import ScoringEndpoint
from fixtures.ask.story import MESSAGES
from fixtures.ask.tool_calls import behind_the_parser, try_question
from fixtures.ask.trial_runs import Attempt, Judged, run_all
from fixtures.client.answer import Answer
from fixtures.client.client import Client
from fixtures.client.tools import TOOLS
from fixtures.errors import AcceptanceError, NoAnswer, RequestError
from fixtures.evidence import Evidence
from fixtures.homework import CLAIMS, SAMPLING
from fixtures.judge.envelope import prompt_growth_fault
from fixtures.judge.profile import SEED
from fixtures.judge.story import sample_fault
from fixtures.judge.tool_calls import right_call_fault
from fixtures.judge.trials import all_of
from fixtures.lmdeploy.capabilities import Capabilities
from tests.acceptance.explain.cause import STORY

TOOLS_OF: Final = "tools."
FIRST: Final = "call."
"""Begin the kinds that are whole conversations, and those that are one answer with a call."""
QUESTIONS: Final[Mapping[str, Question]] = {"tools.add": ADD, "tools.multiply": MULTIPLY, "tools.chain": CHAIN}

STORY_TOKENS: Final = 1024
GREEDY_TOKENS: Final = 48
"""Tokens of a greedy reply, of which the first that differs is named."""
TRIALS: Final = 20
REHEARSED_TRIALS: Final = 8
"""Questions of each kind to each server. Of 20 right before and 10 after, chance makes one in 2000."""
SHOWN: Final = 300
"""Characters of an example."""


def kinds(claims: list[str]) -> list[str]:
    """List the kinds of questions behind claims: all that is claimed of the homework's chat is claimed of its story.

    Beside a whole conversation the first call alone is asked for: a model that never ends one may call right.
    """
    found = [claim if claim in QUESTIONS else STORY for claim in claims if claim.startswith(("chat.", "tools."))]
    first = [
        f"{FIRST}{claim.removeprefix(TOOLS_OF)}"
        for claim in found
        if claim in (f"{TOOLS_OF}add", f"{TOOLS_OF}multiply")
    ]
    return list(dict.fromkeys([*found, *first]))


def is_about_content(claim: str) -> bool:
    """Tell a claim of the homework about what the model says."""
    return claim in CLAIMS and bool(kinds([claim]))


def answers(
    client: Client, evidence: Evidence, name: str, asked: list[str], table: Capabilities, trials: int
) -> dict[str, dict[str, Any]]:
    """Ask each kind of question `trials` times. What the server refuses is an answer, too.

    :raises NoAnswer: the server is gone or too slow.
    """
    return {kind: _counted(client, evidence, f"explain.{name}.{kind}", _attempt(kind, table), trials) for kind in asked}


def _attempt(kind: str, table: Capabilities) -> Attempt:
    def attempt(client: Client, number: int) -> Judged:
        try:
            if kind == STORY:
                fields = {"max_tokens": STORY_TOKENS, "seed": SEED + number, **asdict(SAMPLING)}
                answer = client.ask(list(MESSAGES), **fields)
                return Judged(sample_fault(answer, STORY_TOKENS), reply=answer.text)
            if kind.startswith(FIRST):
                asked = [{"role": "user", "content": question(kind).text}]
                fields = {"tools": list(TOOLS), "max_tokens": MAX_TOKENS, "seed": SEED + number, **asdict(SAMPLING)}
                answer = client.ask(asked, **fields)
                fault = right_call_fault(answer, question(kind).expected.calls[0])
                fault = behind_the_parser(client, fault, {"messages": asked, **fields}, table)
                return Judged(fault, reply=written(answer))
            return try_question(client, question(kind), SAMPLING, number, table, table.result_role)
        except NoAnswer:
            raise
        except RequestError as error:
            return Judged(error.what)

    return attempt


def _counted(client: Client, evidence: Evidence, name: str, attempt: Attempt, trials: int) -> dict[str, Any]:
    made: list[Judged] = []

    def keeping(asking: Client, number: int) -> Judged:
        made.append(judged := attempt(asking, number))
        return judged

    counts = run_all(client, evidence, name, keeping, all_of(trials))
    wrong = next((one for one in made if not one.right), None)
    right = next((one for one in made if one.right), None)
    return {
        "right": counts.right,
        "made": counts.made,
        "faults": dict(Counter(fault.id for fault in counts.faults if fault)),
        "wrong": _shown(wrong),
        "why": wrong.fault.as_json() if wrong and wrong.fault else "",
        "good": _shown(right),
    }


def _shown(judged: Judged | None) -> str:
    if judged is None:
        return ""
    calls = ", ".join(f"{call['name']}({call['arguments']})" for call in judged.calls)
    return " ".join(filter(None, (calls, judged.reply)))[:SHOWN]


def greedy(client: Client, endpoint: Endpoint, asked: list[str], timeout: float) -> dict[str, dict[str, Any]]:
    """Ask each kind of question once at temperature 0: the reply in the model's words, and its tokens."""
    scoring = ScoringEndpoint(endpoint, timeout)
    found = {}
    for kind in (one for one in asked if not one.startswith(FIRST)):  # the same request as the conversation's
        text = _tried(lambda kind=kind: written(client.ask(**_request(kind)))) or ""
        (tokens,) = _tried(lambda text=text: scoring.encode([text], bos=False)) or ([],)
        found[kind] = {"text": text[:SHOWN], "tokens": tokens}
    return found


def _request(kind: str) -> dict[str, Any]:
    fields: dict[str, Any] = {"max_tokens": GREEDY_TOKENS, "seed": SEED, **asdict(GREEDY)}
    if kind == STORY:
        return {"messages": list(MESSAGES), **fields}
    return {"messages": [{"role": "user", "content": question(kind).text}], "tools": list(TOOLS), **fields}


def question(kind: str) -> Question:
    """Return the homework's question that a kind is about."""
    return QUESTIONS[f"{TOOLS_OF}{kind.partition('.')[2]}"]


def written(answer: Answer) -> str:
    """Return an answer in the words of the model: its text, and its calls as they came."""
    calls = (f"{call['function']['name']}({call['function']['arguments']})" for call in answer.tool_calls)
    return " ".join(filter(None, (answer.text, *calls)))


def _tried(ask: Callable[[], Any]) -> Any:
    """Return what was answered; None where it was refused, or the version has not that route."""
    try:
        return ask()
    except NoAnswer:
        raise
    except AcceptanceError:
        return None


def tools_reach_the_prompt(client: Client) -> bool | None:
    """Tell if offering tools makes the prompt longer; None where the server refuses to be asked."""
    question = [{"role": "user", "content": ADD.text}]

    def ask(**fields: Any) -> Answer:
        return client.ask(list(question), max_tokens=1, **asdict(GREEDY), **fields)

    plain, offered = _tried(ask), _tried(lambda: ask(tools=list(TOOLS)))
    if plain is None or offered is None:
        return None
    return prompt_growth_fault(plain, offered) is None
