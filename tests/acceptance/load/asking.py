"""Ask questions, so many at a time, whole, streamed, or cut in the middle. Nothing that a server does raises here."""

import http.client
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from fixtures.ask.load import CHAT, Endpoint, post, stream
from fixtures.client.answer import Answer, an_object, objects
from fixtures.client.streaming import join
from tests.acceptance.load.comparing import Reply
from tests.acceptance.load.questions import Question

CUT_AFTER: Final = 6
"""Chunks of a stream: some have no text, and a call takes about 40."""
MOST_ERRORS: Final = 3
"""One that hangs costs the time for an answer each time."""
MARGIN_TRIES: Final = 8
"""Seeds with which a reply is sampled until one begins as the greedy reply does."""


def ask_all(endpoint: Endpoint, questions: Sequence[Question], at_once: int, timeout: float) -> list[Reply]:
    """Ask all of them, so many at a time, in their order; of a server that has failed often enough no more is asked.

    :param timeout: seconds of silence after which an answer has failed.
    """
    errors: list[str] = []

    def ask(question: Question) -> Reply:
        if len(errors) >= MOST_ERRORS:
            return Reply(question, Answer({}), error=errors[0])
        given = _given(endpoint, question.request, timeout, question.how)
        if isinstance(given, str):
            errors.append(given)
            return Reply(question, Answer({}), error=given)
        return Reply(question, *given, "" if given[0].finish_reason or question.how == "cut" else "no finish_reason")

    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(ask, questions))


def _given(
    endpoint: Endpoint, fields: dict[str, Any], timeout: float, how: str = "whole"
) -> tuple[Answer, tuple[int, ...]] | str:
    """Send one request; the answer and the ids of its tokens, of which a version may tell none, or what went wrong."""
    body = {"model": endpoint.model, **fields}
    try:
        if how == "whole":
            status, content = post(endpoint, CHAT, body, timeout)
            whole = an_object(json.loads(content)) if status == 200 else {}
            chunks = [whole]
        else:
            status, content, chunks = stream(endpoint, body, timeout, CUT_AFTER if how == "cut" else None)
            joined = join(chunks)
            message = {"content": joined.text, "tool_calls": list(joined.calls)}
            whole = {"choices": [{"message": message, "finish_reason": joined.finish_reason}]}
    except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
        return f"{type(error).__name__}: {error}"
    if status != 200:
        return f"HTTP {status}: {content[:300].decode(errors='replace')}"
    told = [choice.get("output_ids") for one in chunks for choice in objects(one.get("choices"))]
    return Answer(whole), tuple(id_ for ids in told if isinstance(ids, list) for id_ in ids)


def margin(endpoint: Endpoint, alone: Reply, at: int, timeout: float) -> float | None:
    """Ask how far apart the two likeliest tokens are, nats, at a token of a reply that was given alone.

    A greedy reply tells no second token, so the question is sampled from the two likeliest at temperature 1 until a
    reply begins like the greedy one. None where none does, or the server does not tell.
    """
    fields = {
        **alone.question.request,
        "temperature": 1.0,
        "top_p": 1.0,
        "top_k": 2,
        "logprobs": True,
        "top_logprobs": 2,
    }
    for seed in range(MARGIN_TRIES):
        given = _given(endpoint, {**fields, "seed": seed}, timeout)
        if isinstance(given, str):
            return None
        answer, ids = given
        choices = objects(answer.body.get("choices"))
        tokens = [one for choice in choices for one in objects(an_object(choice.get("logprobs")).get("content"))]
        if len(tokens) > at and ids[:at] == alone.ids[:at]:
            told = [one.get("logprob") for one in objects(tokens[at].get("top_logprobs"))]
            likely = sorted(one for one in told if isinstance(one, float))
            return likely[-1] - likely[-2] if len(likely) > 1 else None
    return None
