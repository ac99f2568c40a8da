"""Put the questions to every server of the comparison in turn, many at a time; answers are kept as they come."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from fixtures.ask import questions
from fixtures.client.answer import Answer
from fixtures.client.client import TOO_SLOW, Client, check_dying, was_cut
from fixtures.errors import RequestError
from fixtures.evidence.events import EnvironmentRecorded, Exchanged
from fixtures.evidence.storage import writing
from fixtures.gpu.sampler import wait_released
from fixtures.homework import SAMPLING
from fixtures.judge.profile import SEED
from fixtures.lmdeploy.families import Family
from fixtures.server.in_turn import BF16, HOMEWORK, W4A16, W4A16_INT8, InTurn, Turn
from fixtures.texts import is_message, message
from tests.acceptance.bfcl.events import BfclAnswered, BfclAsked
from tests.acceptance.bfcl.package import Case, controls, converted, fault
from tests.acceptance.bfcl.result import AGAIN, GREEDY, SAMPLED, SHOWN, Comparison, Reply

COMPARED: Final = (BF16, W4A16, W4A16_INT8, HOMEWORK)
"""Each differs from the one before it in one thing."""

MAX_TOKENS: Final = 512
"""Of a reply. The package's own limit for models that it serves itself is 4096, which only a reply that runs away
needs: the longest of its answers, eight calls, takes about 400."""

SAMPLINGS: Final = {GREEDY: questions.GREEDY, SAMPLED: SAMPLING, AGAIN: questions.GREEDY}


@dataclass(frozen=True)
class Plan:
    """What every server is asked, and how it is judged."""

    package: str
    cases: list[Case]
    concurrency: int
    sample: int | None

    def event(self) -> BfclAsked:
        """Return what is recorded of it."""
        accepted, refused = controls(self.cases)
        return BfclAsked(
            package=f"bfcl-eval {self.package}",
            ids=[case.id for case in self.cases],
            categories=dict(Counter(case.category for case in self.cases)),
            sample=self.sample,
            max_tokens=MAX_TOKENS,
            concurrency=self.concurrency,
            converted=converted(self.cases),
            truth=accepted,
            planted=refused,
        )


class Kept:
    """Answers on disk, a line each as they come, under what was asked of which server.

    :raises StorageError: the disk does not take them.
    """

    def __init__(self, file: Path) -> None:
        self._folder, self.found = file.parent, {}
        with writing(self._folder, "--work-dir"):
            self._folder.mkdir(parents=True, exist_ok=True)
            for line in file.read_bytes().splitlines() if file.exists() else ():
                with suppress(ValueError):  # the run was killed while it wrote
                    key, body = json.loads(line)
                    self.found[key] = body
            self._file = file.open("ab")

    def add(self, key: str, body: Any) -> None:
        """Keep an answer. A line's end stands before it, in case the last one has none."""
        with writing(self._folder, "--work-dir"):
            self._file.write(b"\n" + json.dumps([key, body]).encode())
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def digest(*parts: Any) -> str:
    """Return 16 hexadecimal digits that change with any of the parts."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def compare(
    in_turn: InTurn, plan: Plan, models: dict[str, tuple[Path, str]], family: Family, environment: EnvironmentRecorded
) -> Comparison:
    """Start and ask the servers one after the other; everything that they answer is in the evidence.

    :param models: by kind of weights, the folder that is served and what identifies its content.
    :raises AcceptanceError: a server does not start, dies, or answers nothing.
    """
    settings, sampler = in_turn.settings, in_turn.sampler
    asked = plan.event()
    in_turn.evidence.append(asked)
    store, answered = settings.work_dir / "bfcl" / "answers", []
    for compared in COMPARED:
        configuration = replace(compared, share=settings.cache_max_entry_count)
        folder, identity = models[compared.weights]
        idle = sampler.begin(f"{configuration.id}.idle") if sampler else None
        with in_turn.serving(configuration, folder) as turn:
            if sampler:
                sampler.begin(f"{configuration.id}.ready")
            where = (settings.backend, settings.rehearse, environment.versions, environment.gpu)
            served = digest(identity, configuration.id, *where)
            with closing(Kept(store / f"{served}.jsonl")) as kept:
                for asking in (GREEDY, *((AGAIN,) if compared == BF16 else ()), SAMPLED):
                    one = ask_all(in_turn, turn, plan, kept, family, configuration.title, asking)
                    in_turn.evidence.append(one)
                    answered.append(one)
        if sampler and idle is not None:
            wait_released(sampler.last_mib, idle)  # where it does not come back, the next server says what it lacks
    for file in store.glob("*.jsonl"):
        file.unlink()  # the next run asks anew: kept answers are for one that was interrupted
    return Comparison(asked, tuple(answered))


def ask_all(
    in_turn: InTurn, turn: Turn, plan: Plan, kept: Kept, family: Family, name: str, asking: str
) -> BfclAnswered:
    """Ask one server every question once, but those whose answers are kept already.

    :raises ServerDied: the server is gone.
    :raises RequestError: of the first requests, as many as are asked at a time, none was answered.
    """
    began, errors = time.monotonic(), {}
    asker = Client(turn.server, in_turn.settings.request_timeout, lambda _: None)
    with closing(asker) as client, in_turn.progress.stage(f"{name}, {asking}") as going:
        asked = {case.id: _request(case, asking) for case in plan.cases}
        keys = {case.id: digest(asking, case.messages, client.model_name, asked[case.id]) for case in plan.cases}
        bodies = {id_: kept.found[key] for id_, key in keys.items() if key in kept.found}
        reused = len(bodies)
        going.ending = message("bfcl.kept", kept=reused) if reused else ""
        pool = ThreadPoolExecutor(plan.concurrency, thread_name_prefix="bfcl")
        try:
            left = [case for case in plan.cases if case.id not in bodies]
            waiting = {pool.submit(client.attempt, case.messages, **asked[case.id]): case for case in left}
            for number, future in enumerate(as_completed(waiting), 1):
                exchanged, case = future.result(), waiting[future]
                if exchanged.error:
                    check_dying(turn.server, patiently=not errors and was_cut(exchanged.error))
                    errors[case.id] = exchanged
                else:
                    bodies[case.id] = exchanged.response
                    kept.add(keys[case.id], exchanged.response)
                if number == len(errors) == min(plan.concurrency, len(left)):
                    raise RequestError("bfcl_unanswered", where=name, first=_said(exchanged), requests=number)
                rate = number / (time.monotonic() - began)
                told = {"done": number, "of": len(left), "rate": rate, "left": (len(left) - number) / rate}
                going(message("bfcl.progress", **told))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        offered = {"tools": plan.cases[0].tools}
        counted = [
            client.attempt(plan.cases[0].messages, max_tokens=1, temperature=0.0, **tools) for tools in (offered, {})
        ]
    begins = family.call_begins
    judged = [judge(case, bodies.get(case.id), errors.get(case.id), begins) for case in plan.cases]
    usage = [Answer(body).usage.get("completion_tokens") for body in bodies.values()]
    return BfclAnswered(
        name=name,
        asking=asking,
        argv=list(turn.argv),
        outcomes=[outcome for outcome, _, _ in judged],
        errors=[error for _, error, _ in judged],
        replies=[reply for _, _, reply in judged],
        prompt_tokens=[Answer(one.response).usage.get("prompt_tokens") for one in counted],
        answer_tokens=sum(tokens for tokens in usage if isinstance(tokens, int)),
        kept=reused,
        seconds=round(time.monotonic() - began, 3),
    )


def judge(case: Case, body: Any, failed: Exchanged | None, begins: str) -> tuple[str, Any, str]:
    """Judge the answer to a question, or its absence: outcome, error and reply as :class:`BfclAnswered` has them."""
    if failed is not None:
        slow = is_message(failed.error) and failed.error["id"] == TOO_SLOW
        return ("timeout" if slow else "refused"), _said(failed), ""
    reply = Reply.of(Answer(body))
    if reply.cut:
        return "cut", "", reply.shown
    if reply.is_unparsed(case.names, begins):
        return "unparsed", "", reply.shown
    found = fault(case, reply.calls or [])
    return ("wrong" if found else "right"), found, reply.shown


def _request(case: Case, asking: str) -> dict[str, Any]:
    sampling = asdict(SAMPLINGS[asking])
    return {"tools": case.tools, "max_tokens": MAX_TOKENS, "seed": SEED + case.number, **sampling}


def _said(exchanged: Exchanged) -> Any:
    """What was answered instead: the client's message, or the server's words."""
    if is_message(exchanged.error) or was_cut(exchanged.error):
        return exchanged.error
    said = exchanged.response if isinstance(exchanged.response, str) else json.dumps(exchanged.response)
    return f"{exchanged.error}: {said[:SHOWN]}"
