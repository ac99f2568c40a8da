"""Every claim against a small server that does one thing wrong, and honest ones that differ in what they tell."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from http.server import ThreadingHTTPServer
from typing import Any, Final

import pytest

from fixtures.ask import load as asking_load
from fixtures.ask.load import Endpoint
from fixtures.client.answer import Answer
from fixtures.errors import RequestError
from fixtures.report.summary import summarize
from fixtures.texts import LANGUAGES, Texts
from tests.acceptance.load import measuring
from tests.acceptance.load import test_load as claims
from tests.acceptance.load.comparing import Reply, leaks
from tests.acceptance.load.events import LoadCompared
from tests.acceptance.load.measuring import Row, Stage, Workload, compare
from tests.acceptance.load.questions import Question, drawn
from tests.acceptance.load.record import merged, records
from tests.acceptance.load.section import key_figures, section
from tests.unit.report.one_suite import run_of
from tests.unit.serving import Answering, serving

STAGES: Final = (Stage("some", 4, 0.4), Stage("cut", 4, 0.4, cuts=True), Stage("long", 4, 0.2, long=True))
LOAD: Final = Workload(40, 12, 8, 2, STAGES, 100, (3, 50))
HELD: Final = 100
"""Tokens of a request in the cache, of 10 000."""


def keep(*_: Any, **__: Any) -> None:
    """Where a claim's figures go."""


class Model(ThreadingHTTPServer):
    """Adds, multiplies, echoes and tells stories; with a fault it does one thing wrong."""

    request_queue_size = 128

    def __init__(self, fault: str = "") -> None:
        self.fault, self.held, self.active, self.written, self.last = fault, 0, 0, 0, ""
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), Handler)

    def reply(self, text: str) -> str:
        """The words for a question; a call is its JSON. Another's, or a wrong one, only beside others."""
        crowded = self.active > 1
        if self.fault == "swaps" and crowded and self.last:
            text, self.last = self.last, text
        self.last = text
        if found := re.search(r"Compute (\d+)([+*])(\d+)", text):
            a, sign, b = found.groups()
            wrong = self.fault == "wrong" and crowded
            arguments = {"a": int(a) + wrong, "b": int(b)}
            return json.dumps({"name": "add" if sign == "+" else "mul", "arguments": json.dumps(arguments)})
        echoed = re.search(r"else: (\w+)", text)
        return (echoed[1] if echoed else "从前有一只狐狸") + (
            "." if self.fault in ("differs", "mute") and crowded else ""
        )


class Handler(Answering):
    server: Model

    def do_GET(self) -> None:
        model = self.server
        held = model.held + model.written % 50 * bool(model.active)  # it grows while answers do
        self._send(404 if model.fault == "mute" else 200, f"lmdeploy:gpu_cache_usage_perc {held / 10_000}\n")

    def do_POST(self) -> None:
        model, asked = self.server, self._asked()
        if model.fault == "dies" and "tools" in asked:
            self._send(500, "broken")
            return
        with model.lock:
            model.active += 1
            model.held += HELD
        time.sleep(0.005)  # the others come meanwhile
        text = asked["messages"][-1]["content"]
        ends = self._stream(asked, text) if asked.get("stream") else self._whole(asked, text)
        with model.lock:
            model.active -= 1
            model.held -= 0 if model.fault == "keeps" and not ends else HELD

    def _whole(self, asked: Any, text: str) -> bool:
        if self.server.fault == "refuses" and self.server.active > 1:
            self._send(503, "no room")
            return True
        said = self.server.reply(text)
        ids = {} if self.server.fault == "mute" else {"output_ids": list(said.encode())}
        tops = [{"top_logprobs": [{"logprob": -0.6}, {"logprob": -0.8}]}] * (len(said) + 2)
        choice = {"message": message(said), "finish_reason": "tool_calls" if said[0] == "{" else "stop", **ids}
        counts = {"prompt_tokens": len(text) + len(asked)}
        self._send(200, {"choices": [{**choice, "logprobs": {"content": tops}}], "usage": counts})
        return True

    def _stream(self, asked: Any, text: str) -> bool:
        if self.server.fault == "full" and asked.get("ignore_eos"):
            self._send(503, "no room")
            return True
        said = self.server.reply(text)
        made = message(said)
        calls = [{**call, "index": 0} for call in made["tool_calls"]]
        pieces = [{"content": piece} for piece in made["content"]] or [{"tool_calls": calls}, *[{}] * 9]
        last = {"finish_reason": "tool_calls" if calls else "stop"}
        self.send_response(200)
        self.end_headers()
        try:
            for piece in pieces * (300 if asked.get("ignore_eos") else 1):
                self._say({"delta": piece})
                self.server.written += 1
                time.sleep(0.002)
            ids = {} if self.server.fault == "mute" else {"output_ids": list(said.encode())}
            self._say({"delta": {}, **last, **ids})
        except OSError:
            return False
        return True

    def _say(self, choice: dict[str, Any]) -> None:
        self.wfile.write(f"data: {json.dumps({'choices': [choice]})}\n\n".encode())


def message(said: str) -> dict[str, Any]:
    call = {"id": "c", "type": "function", "function": json.loads(said)} if said[0] == "{" else None
    return {"content": "" if call else said, "tool_calls": [call] if call else []}


@pytest.fixture
def row_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Row]:
    """`row_of(fault)`: what a server with this fault was compared to be."""
    monkeypatch.setattr(asking_load, "USAGE_REFRESH_S", 0.3)
    monkeypatch.setattr(measuring, "USAGE_REFRESH_S", 0.3)

    def compared(fault: str) -> Row:
        with serving(Model(fault)) as model:
            return compare(Endpoint("127.0.0.1", model.server_port, "m"), "m", LOAD, 10.0, lambda _: None)

    return compared


CLAIMS: Final = {
    "answered": claims.test_every_request_is_answered,
    "leak": claims.test_no_reply_holds_what_belongs_to_another,
    "flip": claims.test_what_is_right_alone_is_right_under_load,
    "cache": claims.test_cache_is_free_again_after_cancelled_requests,
}


@pytest.mark.parametrize(
    ("fault", "refused"),
    [
        ("", {}),
        ("differs", {}),
        ("swaps", {"leak": "holds what belongs to question", "flip": "wrong under load"}),
        ("wrong", {"flip": r"wrong under load \d+ of \d+ times"}),
        ("keeps", {"cache": "not free again"}),
        ("full", {"cache": "could not be filled: 3 of 3 long requests failed"}),
        ("refuses", {"answered": "HTTP 503: no room"}),
        ("mute", {"cache": "no metrics"}),
    ],
)
def test_claims_refuse_their_own_fault_alone(fault: str, refused: dict[str, str], row_of: Callable[[str], Row]) -> None:
    row = row_of(fault)
    found = {}
    for name, test in CLAIMS.items():
        try:
            test([row], keep)
        except (AssertionError, pytest.skip.Exception) as failure:
            found[name] = str(failure)
    assert set(found) == set(refused), found
    assert all(re.search(words, found[name]) for name, words in refused.items()), found
    kinds = {one["kind"] for one in row["differences"]}
    assert kinds == {"differs": {"near_tie"}, "mute": {"unknown"}}.get(fault, kinds)
    assert (row["greedy_loaded"][0] < row["greedy_loaded"][1]) is (fault in ("differs", "swaps", "wrong", "mute"))


def test_server_that_answers_nothing_is_an_error_at_once(row_of: Callable[[str], Row]) -> None:
    began = time.monotonic()
    with pytest.raises(RequestError, match="HTTP 500: broken"):
        row_of("dies")
    assert time.monotonic() - began < 5


def test_nothing_right_alone_is_nothing_to_compare(row_of: Callable[[str], Row]) -> None:
    stages = [{**stage, "right_alone": 0, "flips": 0} for stage in row_of("")["stages"]]
    with pytest.raises(AssertionError, match="none of 8 questions"):
        claims.test_what_is_right_alone_is_right_under_load([{"name": "m", "questions": 8, "stages": stages}], keep)


def test_no_two_questions_share_a_number_or_a_word() -> None:
    marks = [mark for one in drawn(160) for mark in ((one.word,) if one.word else (one.a, one.b))]
    assert len(marks) == len(set(marks)) == 40 + 240
    assert Question(0, "add", 100, 200).numbers == {100, 200, 300, 20_000}


def test_own_word_run_on_is_no_leak() -> None:
    """A model that cannot echo ran its word on into a longer one; another question's word in it is a leak."""
    questions = drawn(8)
    own, other = (one for one in questions if one.word)

    def said(text: str) -> list[int]:
        return leaks(Reply(own, Answer({"choices": [{"message": {"content": text}}]})), questions)

    assert said(f"{own.word}gdjgdj") == []
    assert said(f"{own.word} gdj{other.word}") == [other.number]


def test_report_and_record_have_every_stage(row_of: Callable[[str], Row]) -> None:
    log = run_of("load", LoadCompared({**row_of("differs"), "name": "deployment", "argv": []}))
    run = summarize(log)
    for texts in map(Texts, LANGUAGES):
        assert str(section(run, texts)).count("<tr>") > 3 + 1 + len(STAGES) + 1
        assert texts.say("load.served.deployment") in str(section(run, texts))
        assert [figure.value for figure in key_figures(run, texts)][1] == "0"
        assert section(summarize(run_of("load")), texts) is None
    record = records(log)["load-{gpu}"]
    assert merged({"runs": {"other": {}}}, record)["runs"].keys() == {"other", *record["runs"]}
