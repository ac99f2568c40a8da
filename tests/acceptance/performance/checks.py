"""Tool calls asked for beside the timed requests, and judged: no server shall be fast by being wrong."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple
from typing import Any

from fixtures.ask.load import Endpoint, chat_body
from fixtures.ask.questions import CALL_TOKENS, GREEDY, Question, Topic, add, multiply
from fixtures.client.answer import Answer
from fixtures.judge.paired import Paired, pair
from fixtures.judge.tool_calls import right_call_fault
from fixtures.judge.trials import wilson
from fixtures.texts import Message, message
from tests.acceptance.performance.generator import Raw


def drawn(count: int) -> list[Question]:
    """Draw sums and products, each of its own operands."""
    topics = Topic(add), Topic(multiply)
    return [topics[number % 2].question("performance", number) for number in range(count)]


def body(endpoint: Endpoint, question: Question) -> bytes:
    """Make a request: greedy, so that its answer may be held against the one that is given alone."""
    fields = {**asdict(GREEDY), "tools": question.tools}
    return json.dumps(chat_body(endpoint, question.text, CALL_TOKENS) | fields).encode()


def fault(question: Question, raw: Raw) -> Message | None:
    """Find why what came of a question is not its call."""
    *_, stamped, error = raw
    try:
        answer = Answer(json.loads(b"".join(line for _, line in stamped)))
    except (ValueError, RecursionError) as failure:
        return message("performance.check_unanswered", error=error or repr(failure))
    return right_call_fault(answer, question.expected.calls[0])


def compared(questions: Sequence[Question], alone: Sequence[Raw], loaded: Sequence[Raw]) -> dict[str, Any]:
    """Count the `pairs`: right alone and under load, alone only, under load only, in neither; and keep the `first`
    fault of one that was right alone, or else of one that was not."""
    found = [(fault(one, a), fault(one, b)) for one, a, b in zip(questions, alone, loaded, strict=True)]
    pairs = pair([not a for a, _ in found], [not b for _, b in found])
    first = next((b for a, b in found if b and not a), None) or next((a for a, _ in found if a), None)
    return {"pairs": list(astuple(pairs)), "first": first and first.as_json()}


def told(row: Mapping[str, Any]) -> dict[str, Any]:
    """Tell what share of a server's checks is right, alone and under load, with its 95 % interval."""
    found = Paired(*row["checks"]["pairs"])
    shares = {}
    for name, right in (("alone", found.control), ("loaded", found.quantized)):
        interval = wilson(right, found.trials)
        shares[name] = f"{right} / {found.trials} [{100 * interval.lower:.1f}, {100 * interval.upper:.1f}] %"
    return {"name": row["name"], **shares, "first": row["checks"]["first"]}
