"""`lmdeploy serve api_server`: the HTTP side of 0.18.0 around a model that is arithmetic, as far as a faulty run asks.

Faults of starting and of answering are functions here; those of what is answered are in `behaviour` and `protocol`.
"""

import argparse
import asyncio
import gzip
import json
import os
import signal
import sys
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from fixtures.process.port import free_port
from tests.faults.lmdeploy import model, protocol
from tests.faults.lmdeploy.behaviour import BEHAVIOUR
from tests.faults.lmdeploy.memory import Gpu
from tests.faults.lmdeploy.moment import note
from tests.faults.lmdeploy.protocol import PROTOCOL, refusal

CHAT: Final = "/v1/chat/completions"
LOAD_S: Final = 0.1
"""Seconds of loading: enough for a server to be seen while it does not listen yet."""

FOREVER: Final = 3600.0

OPTIONS: Final = {
    "--model-format": "hf", "--quant-policy": 0, "--cache-max-entry-count": 0.8, "--server-name": "0.0.0.0",
    "--server-port": 23333, "--tp": 1, "--model-name": "", "--backend": "turbomind", "--session-len": 0,
    "--tool-call-parser": "", "--log-level": "ERROR",
}  # fmt: skip
"""Those of 0.18.0 that the suite may pass, with their defaults."""


def arguments_of(argv: list[str]) -> argparse.Namespace:
    """Any other option is refused as argparse does."""
    parser = argparse.ArgumentParser(prog="lmdeploy serve api_server", allow_abbrev=False)
    parser.add_argument("model_path", type=Path)
    for name, default in OPTIONS.items():
        parser.add_argument(name, type=type(default), default=default)
    parser.add_argument("--api-keys", nargs="*", default=[])
    parser.add_argument("--trust-remote-code", action="store_true")
    return parser.parse_args(argv)


class ApiServer:
    """The application and what it remembers: how many questions it was asked."""

    def __init__(self, arguments: argparse.Namespace, fault: str, gpu: Gpu) -> None:
        self.arguments = arguments
        self.fault = fault
        self.gpu = gpu
        self.asked = 0
        self.name: str = arguments.model_name or str(arguments.model_path)
        self.app = Starlette(
            routes=[
                Route("/health", self.health),
                Route("/v1/models", self.models),
                Route(CHAT, self.chat, methods=["POST"]),
            ],
            exception_handlers={404: lambda *_: JSONResponse({"detail": "Not Found"}, 404)},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """With `--api-keys`, refuse whoever has none of them, as lmdeploy's middleware does below `/v1`."""
        keys = [] if self.fault == "key-not-asked-for" else self.arguments.api_keys
        allowed = [f"Bearer {key}".encode() for key in keys]
        asks = allowed and scope["type"] == "http" and scope["path"].startswith("/v1")
        refused = asks and dict(scope["headers"]).get(b"authorization") not in allowed
        answer = JSONResponse({"error": "Unauthorized"}, 401) if refused else self.app
        await answer(scope, receive, send)

    async def health(self, _: Request) -> Response:
        if self.fault == "health-never-200":
            return JSONResponse({"status": "unhealthy", "message": "TurboMind engine is starting."}, 503)
        if self.fault == "health-without-answer":
            note()
            await asyncio.sleep(FOREVER)
        return JSONResponse({"status": "healthy", "message": "TurboMind engine is healthy."})

    async def models(self, _: Request) -> Response:
        if self.fault == "model-list-not-json":
            return PlainTextResponse("<html>It works!</html>")
        listed = protocol.models(MODEL_NAMES.get(self.fault, self.name))
        if self.fault == "model-list-empty":
            listed["data"] = []
        if self.fault == "two-models":
            listed["data"] += protocol.models("internlm2-chat-7b")["data"]
        return JSONResponse(listed)

    async def chat(self, request: Request) -> Response:
        wish = await request.json()
        self.asked += 1
        if self.fault in FAILS:
            concerned, fail = FAILS[self.fault]
            if concerned(self.asked) and (answer := await fail()):
                return answer
        if wish.get("tools") and not self.arguments.tool_call_parser:
            return _refused(400, "Please launch the api_server with --tool-call-parser if you want to use tools.")
        turn, prompt = self._turn(wish), _prompt_tokens(wish)
        self.gpu.answered()
        if wish.get("stream"):
            include_usage = bool((wish.get("stream_options") or {}).get("include_usage"))
            return StreamingResponse(self._events(turn, prompt, include_usage), media_type="text/event-stream")
        body = protocol.completion(self.name, turn, prompt)
        if self.fault in PROTOCOL:
            PROTOCOL[self.fault](body)
        return WIRE.get(self.fault, JSONResponse)(body)

    def _turn(self, wish: dict[str, Any]) -> model.Say:
        rng = Random(f"{os.environ.get('FAULT_SEED', '')} {wish.get('seed', self.asked)}")
        if not wish.get("temperature", 0.7):
            rng = Random(json.dumps(wish["messages"]))
        offered = [tool["function"]["name"] for tool in wish.get("tools") or []]
        asked = model.read(wish["messages"], offered, rng)
        turn = model.say(asked)
        if self.fault in BEHAVIOUR:
            turn = BEHAVIOUR[self.fault](asked, turn)
        tokens, limit = model.pieces(turn.text), wish.get("max_tokens")
        if limit and len(tokens) > limit:
            turn = replace(turn, text="".join(tokens[:limit]), cut=True)
        return turn

    async def _events(self, turn: model.Say, prompt: int, include_usage: bool) -> AsyncIterator[bytes]:
        lines = [
            f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n".encode()
            for chunk in protocol.chunks(self.name, turn, prompt, include_usage)
        ]
        for line in STREAM.get(self.fault, lambda healthy: healthy)(lines):
            yield line
        if self.fault == "stream-never-ends":
            note()
            while True:
                await asyncio.sleep(0.2)
                yield lines[0]
        yield b"data: [DONE]\n\n"


MODEL_NAMES: Final = {"another-model-named": "internlm2-chat-7b", "no-model-named": ""}
"""Faults: the name in the list of models."""


OTHERS: Final = (
    "health-never-200", "health-without-answer", "model-list-empty", "model-list-not-json", "two-models",
    "stream-never-ends", "key-not-asked-for",
)  # fmt: skip
"""Faults that are made where they happen, in the handlers."""


def _cut_character(lines: list[bytes]) -> list[bytes]:
    """A token's bytes passed on before the character was whole: what a decoder shows as U+FFFD, twice."""
    return [line.replace("狐".encode(), "\ufffd\ufffd".encode()) for line in lines]


def _in_one_piece(lines: list[bytes]) -> list[bytes]:
    text = "".join(choice["delta"].get("content", "") for line in lines for choice in _parsed(line)["choices"])
    first = _parsed(lines[0])
    first["choices"][0]["delta"]["content"] = text
    rest = [line for line in lines if _has_reason(line) or not _parsed(line)["choices"]]
    return [f"data: {json.dumps(first)}\n\n".encode(), *rest]


def _name_in_parts(lines: list[bytes]) -> list[bytes]:
    named = b'"name": "add"'
    parts = [named.replace(b"add", part) for part in (b"ad", b"d")]
    return [line.replace(named, part) for line in lines for part in (parts if named in line else [named])]


def _parsed(line: bytes) -> dict[str, Any]:
    chunk: dict[str, Any] = json.loads(line.removeprefix(b"data: "))
    return chunk


def _has_reason(line: bytes) -> bool:
    return any(choice.get("finish_reason") for choice in _parsed(line)["choices"])


STREAM: Final[dict[str, Callable[[list[bytes]], list[bytes]]]] = {
    "stream-splits-a-character": _cut_character,
    "stream-in-one-piece": _in_one_piece,
    "stream-loses-a-piece": lambda lines: lines[:1] + lines[2:],
    "stream-without-usage": lambda lines: [line for line in lines if _parsed(line)["choices"]],
    "stream-without-finish-reason": lambda lines: [line for line in lines if not _has_reason(line)],
    "stream-goes-on-after-the-reason": lambda lines: [*lines[:-1], lines[0], lines[-1]],
    "stream-of-a-name-in-parts": _name_in_parts,
    "stream-breaks-off": lambda lines: [*lines[:3], b'data: {"id": '],
}
"""Faults in a stream: healthy lines to broken ones."""


async def _blanks(every: float) -> AsyncIterator[bytes]:
    """A body that never ends: one every so many seconds."""
    note()
    while True:
        yield b" "
        await asyncio.sleep(every)


class Cut(Response):
    """A body that stops in its middle, and a connection that is closed."""

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"id": "chatcmpl-', "more_body": True})
        raise ConnectionResetError


def _packed(body: dict[str, Any]) -> Response:
    packed = gzip.compress(json.dumps(body).encode())
    return Response(packed, headers={"Content-Encoding": "gzip"}, media_type="application/json")


def _bomb(_: dict[str, Any]) -> Response:
    """200 MiB of blanks in 200 KiB."""
    pack = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    packed = b"".join(pack.compress(b" " * 2**20) for _ in range(200)) + pack.flush()
    return Response(packed, headers={"Content-Encoding": "gzip"}, media_type="application/json")


def _with(name: str, value: str) -> Callable[[dict[str, Any]], Response]:
    """A healthy answer with a field whose value is no JSON that Python would write."""

    def sent(body: dict[str, Any]) -> Response:
        return Response(json.dumps(body)[:-1] + f', "{name}": {value}' + "}", media_type="application/json")

    return sent


WIRE: Final[dict[str, Callable[[dict[str, Any]], Response]]] = {
    "hangs-after-the-headers": lambda _: StreamingResponse(_blanks(FOREVER), media_type="application/json"),
    "body-never-ends": lambda _: StreamingResponse(_blanks(0.2), media_type="application/json"),
    "body-cut-short": lambda _: Cut(),
    "html-in-place-of-json": lambda _: Response("<body>502 Bad Gateway</body>", media_type="text/html"),
    "key-refused": lambda _: JSONResponse({"error": "Unauthorized"}, 401),
    "engine-asleep": lambda _: _refused(503, "engine is sleeping", "service_unavailable_error"),
    "answer-packed": _packed,
    "answer-packed-without-being-so": lambda _: Response(
        b"\x1f\x8bgarbage", headers={"Content-Encoding": "gzip"}, media_type="application/json"
    ),
    "gzip-bomb": _bomb,
    "answer-of-10-mib": _with("more", '"' + 10 * 2**20 * "x" + '"'),
    "answer-nested-100000-deep": _with("more", 100_000 * "[" + 100_000 * "]"),
    "number-of-5000-digits": _with("more", "9" * 5000),
    "number-that-is-none": _with("more", "NaN"),
    "status-202": lambda body: JSONResponse(body, 202),
    "answer-said-to-be-html": lambda body: JSONResponse(body, media_type="text/html"),
    "redirected": lambda _: RedirectResponse("http://elsewhere.example/v1/chat/completions"),
}
"""Faults of sending: what is sent in place of a healthy answer, which is given."""


async def _status_500() -> Response:
    return _refused(500, "Internal Server Error", "internal_error")


async def _hang() -> None:
    note()
    await asyncio.sleep(FOREVER)


async def _dies() -> None:
    """In the middle of an answer, as a kernel's fault does it: in the third test, which is the first to ask."""
    print("RuntimeError: CUDA error: misaligned address", flush=True)
    note()
    os.abort()


async def _killed() -> None:
    note()
    signal.raise_signal(signal.SIGKILL)


FAILS: Final[dict[str, tuple[Callable[[int], bool], Callable[[], Awaitable[Response | None]]]]] = {
    "engine-dead-health-200": (lambda _: True, _status_500),
    "every-third-request-500": (lambda number: number % 3 == 0, _status_500),
    "every-tenth-request-500": (lambda number: number % 10 == 5, _status_500),
    "hangs-before-the-headers": (lambda _: True, _hang),
    "dies-at-the-first-question": (lambda _: True, _dies),
    "dies-in-the-third-answer": (lambda number: number == 3, _dies),
    "killed-in-mid-request": (lambda _: True, _killed),
}
"""Faults of answering: the numbers of the questions concerned, and what happens. A run of the homework asks eight."""


def _refused(status: int, message: str, kind: str = "invalid_request_error") -> Response:
    return JSONResponse(refusal(status, message, kind), status)


def _prompt_tokens(wish: dict[str, Any]) -> int:
    texts = [str(message.get("content") or "") for message in wish["messages"]]
    tools = json.dumps(wish["tools"]) if wish.get("tools") else ""
    return 10 * len(texts) + sum(map(len, texts)) + len(tools)


Start = Callable[[argparse.Namespace], object]


def _then(end: Callable[[], object], told: str = "") -> Start:
    """Say something, and come to an end, or wait for ever."""

    def start(_: argparse.Namespace) -> None:
        print(told, flush=True)
        note()
        end()

    return start


def _is_not_built() -> None:
    raise RuntimeError("engine could not be built: no kernel image is available for execution on the device")


def _falls_back(reason: str) -> Start:
    """Another engine than TurboMind serves, which lmdeploy tells its log and nobody else."""

    def fall_back(arguments: argparse.Namespace) -> None:
        if arguments.backend == "pytorch":
            return
        why = reason.format(model=str(arguments.model_path))
        said = f"Fallback to pytorch engine because {why}"
        print(f"2026-11-23 03:27:33,944 - lmdeploy - WARNING - archs.py:40 - {said}", flush=True)
        note()

    return fall_back


def _forks_workers(_: argparse.Namespace) -> None:
    """A worker in a session of its own, which outlives a parent that does not stop it."""
    if os.fork() == 0:
        os.setsid()
        time.sleep(FOREVER)
        os._exit(0)


def _ignores_signals(_: argparse.Namespace) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


START: Final[dict[str, Start]] = {
    "dies-at-start": _then(_is_not_built),
    "killed-while-loading": _then(lambda: signal.raise_signal(signal.SIGKILL)),
    "crashes-while-loading": _then(os.abort, "terminate called after throwing an instance of 'std::runtime_error'"),
    "ends-at-once": _then(sys.exit, "Nothing to serve."),
    "loads-for-ever": _then(lambda: time.sleep(FOREVER), "Loading:  42%"),
    "asks-a-question-at-start": _then(lambda: input("The repository contains custom code. Run it? [y/N] ")),
    "argument-unknown": _then(lambda: sys.exit(2), "lmdeploy: error: unrecognized arguments: --quant-policy 4"),
    "turbomind-cannot-be-loaded": _falls_back("turbomind is not built."),
    "turbomind-lacks-the-model": _falls_back("{model!r} not supported by turbomind engine."),
    "listens-on-another-port": lambda arguments: setattr(arguments, "server_port", free_port(arguments.server_name)),
    "tool-parser-not-started": lambda arguments: setattr(arguments, "tool_call_parser", ""),
    "worker-left-behind": _forks_workers,
    "ignores-the-stop-signal": _ignores_signals,
}
"""Faults of starting."""


def main(argv: list[str], fault: str) -> None:
    """Load, listen, answer until a signal."""
    arguments = arguments_of(argv)
    if not arguments.trust_remote_code:
        raise ValueError(f"loading {arguments.model_path.name} requires trust_remote_code=True")
    if fault in START:
        START[fault](arguments)
    gpu = Gpu(fault)
    server = ApiServer(arguments, fault, gpu)
    gpu.load(arguments.model_path, arguments.model_format, arguments.cache_max_entry_count)
    time.sleep(LOAD_S)
    config = uvicorn.Config(server, host=arguments.server_name, port=arguments.server_port, log_level="info")
    serving = uvicorn.Server(config)
    if fault == "ignores-the-stop-signal":
        serving.capture_signals = nullcontext  # type: ignore[assignment]
    serving.run()
