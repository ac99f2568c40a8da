"""Load on a real server process whose cache has a known size; refusals and a cache that is too small are told."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import ThreadingHTTPServer
from typing import Any

import pytest

from fixtures.ask import load
from fixtures.ask.load import Endpoint, Filled, Prompts, burst, fill_cache, size_prompts
from fixtures.errors import RequestError
from tests.unit.programs.chat_server import Chat
from tests.unit.serving import serving
from tests.unit.waiting import eventually

TOKENS_PER_CHARACTER = 0.4


class Engine(ThreadingHTTPServer):
    """Holds the tokens of every streamed request until its client hangs up; refuses as told."""

    request_queue_size = 128

    def __init__(self, capacity: int, *, status: int = 200, metrics: bool = True, counts: bool = True) -> None:
        self.capacity, self.status, self.metrics, self.counts = capacity, status, metrics, counts
        self.held = self.most_held = self.answered = 0
        self.room = threading.Condition()
        self.closed = False
        super().__init__(("127.0.0.1", 0), Handler)

    def server_close(self) -> None:
        """Let go who still waits for room."""
        with self.room:
            self.closed = True
            self.room.notify_all()
        super().server_close()


class Handler(Chat):
    server: Engine

    def do_GET(self) -> None:
        engine = self.server
        self._send(200 if engine.metrics else 404, f"lmdeploy:gpu_cache_usage_perc {engine.held / engine.capacity}\n")

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = request["messages"][0]["content"]
        tokens = round(len(text) * TOKENS_PER_CHARACTER) + 12
        if self.server.status != 200:
            self._send(self.server.status, "no room")
        elif request.get("stream"):
            self._hold(tokens, request["max_tokens"])
        else:
            with self.server.room:
                self.server.answered += 1
            counted = tokens if self.server.counts else 7
            self._send(200, json.dumps({"choices": [{}], "usage": {"prompt_tokens": counted}}))

    def _hold(self, tokens: int, answer: int) -> None:
        engine = self.server
        with engine.room:
            engine.room.wait_for(lambda: engine.closed or engine.held + tokens <= engine.capacity)
            if engine.closed:
                return
            engine.held += tokens
            engine.most_held = max(engine.most_held, engine.held)
        with contextlib.suppress(OSError):
            self.send_response(200)
            self.end_headers()
            for _ in range(answer):
                self.wfile.write(b'data: {"choices": [{"delta": {}}]}\n\n')
                with engine.room:
                    engine.held += 1
                    tokens += 1
                time.sleep(0.02)
            self.wfile.write(b"data: [DONE]\n\n")
        with engine.room:
            engine.held -= tokens
            engine.room.notify_all()


Start = Callable[..., tuple[Engine, Endpoint]]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    monkeypatch.setattr(load, "POLL_S", 0.05)
    monkeypatch.setattr(load, "STALL_S", 0.4)
    monkeypatch.setattr(load, "USAGE_REFRESH_S", 0.4)
    with ExitStack() as engines:

        def run(capacity: int = 100_000, **faults: object) -> tuple[Engine, Endpoint]:
            engine = engines.enter_context(serving(Engine(capacity, **faults)))  # type: ignore[arg-type]
            return engine, Endpoint("127.0.0.1", engine.server_port, "m")

        yield run


def test_prompts_are_sized_by_the_servers_own_count(start: Start) -> None:
    _, endpoint = start()
    prompts = size_prompts(endpoint, 8192)
    assert prompts.tokens == pytest.approx(8192, abs=2)
    assert len(prompts.text(3)) == prompts.characters == pytest.approx((8192 - 12) / TOKENS_PER_CHARACTER, abs=5)
    assert prompts.text(3)[:6] != prompts.text(4)[:6]


def test_a_server_that_does_not_count_is_an_error(start: Start) -> None:
    _, endpoint = start(counts=False)
    with pytest.raises(RequestError, match="does not grow with the prompt: 7"):
        size_prompts(endpoint, 8192)


@pytest.mark.parametrize(
    ("made", "asked", "deadline_s", "holds"),
    [
        ({}, 10, 10, (10, 81_000, 100_000)),
        # 16-bit KV where int4 was promised: a quarter of the requests answers, and that the others wait is noticed.
        ({"capacity": 25_000}, 10, 10, (3, 25_500, 25_000)),
        ({"metrics": False}, 4, 10, (4, 33_500, None)),
        # Also for requests that wait for room that never comes.
        ({"capacity": 1_000}, 2, 0.3, (0, 0, None)),
    ],
    ids=["all", "what fits", "all, of an unknown capacity", "nothing until the deadline"],
)
def test_cache_holds(
    made: dict[str, Any], asked: int, deadline_s: float, holds: tuple[int, int, int | None], start: Start
) -> None:
    requests, tokens, capacity = holds
    engine, endpoint = start(**made)
    started = time.monotonic()
    filled = fill_cache(endpoint, Prompts(20_000, 8012), asked, 1000, deadline_s)
    assert time.monotonic() - started < 5
    assert (filled.asked, filled.requests) == (asked, requests)
    assert filled.tokens == pytest.approx(tokens, abs=1500 if tokens else 0)
    assert filled.capacity == (capacity and pytest.approx(capacity, rel=0.03))
    assert engine.most_held <= engine.capacity
    eventually(lambda: engine.held == 0)


def test_when_all_answers_have_ended_nothing_is_waited_for(start: Start) -> None:
    _, endpoint = start(capacity=10_000_000)
    started = time.monotonic()
    filled = fill_cache(endpoint, Prompts(2_000, 812), 3, 5, deadline_s=30)
    assert time.monotonic() - started < 5
    assert 812 <= filled.tokens <= 3 * (812 + 5)


def test_a_refusal_is_an_error_at_once(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "STALL_S", 10.0)
    _, endpoint = start(status=503)
    started = time.monotonic()
    with pytest.raises(RequestError, match="2 of 2 long requests failed, the first with: HTTP 503: no room"):
        fill_cache(endpoint, Prompts(100, 40), 2, 10, deadline_s=20)
    assert time.monotonic() - started < 5
    with pytest.raises(RequestError, match="HTTP 503"):
        burst(endpoint, 3, 2)


def test_a_server_that_is_gone_is_an_error() -> None:
    with pytest.raises(RequestError, match="ConnectionRefusedError"):
        burst(Endpoint("127.0.0.1", 9, "m"), 1, 1)


def test_a_burst_sends_them_all(start: Start) -> None:
    engine, endpoint = start()
    burst(endpoint, 50, 8)
    assert engine.answered == 50


def test_nothing_held_has_no_capacity() -> None:
    assert Filled(1, 0, 0, 0.0).capacity is None
