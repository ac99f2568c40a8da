"""The rehearsal server over HTTP, in what neither the contract nor the recorded protocol asks of it."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import requests

from fixtures.homework import MODEL_NAME
from fixtures.process.port import listeners
from fixtures.server.api_server import RunningServer
from tests.rehearsal.conftest import post

LONG = {"max_tokens": 3000, "ignore_eos": True}
"""About half a minute of computing for one request, unless it is cancelled."""
HOT = {"max_tokens": 40, "ignore_eos": True, "temperature": 1.5, "top_p": 1.0}


def chat(server: RunningServer, prompt: str = "Compute 3+5", **parameters: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": prompt}]
    return post(server, "/v1/chat/completions", {"model": MODEL_NAME, "messages": messages, **parameters})


def content(answer: dict[str, Any]) -> str:
    return str(answer["choices"][0]["message"]["content"])


def test_seed_repeats_an_answer_and_another_does_not(server: RunningServer) -> None:
    first, again, other = (content(chat(server, **HOT, seed=seed)) for seed in (7, 7, 8))
    assert first == again
    assert first != other


def test_response_format_is_followed(server: RunningServer) -> None:
    wanted = {"type": "regex_schema", "regex_schema": "(yes|no), [0-9]{2}"}
    answer = chat(server, "Is 3+5 8?", response_format=wanted, max_tokens=30)
    assert re.fullmatch(wanted["regex_schema"], content(answer))
    assert answer["choices"][0]["finish_reason"] == "stop"


def test_sixteen_requests_at_once_are_all_answered(server: RunningServer) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = pool.map(lambda count: chat(server, max_tokens=count, ignore_eos=True), range(20, 36))
    assert [answer["usage"]["completion_tokens"] for answer in answers] == list(range(20, 36))


def test_clients_that_leave_free_their_slots(server: RunningServer) -> None:
    """All four handles go to streams that are abandoned; each would run for half a minute."""
    body = {"model": MODEL_NAME, "messages": [{"role": "user", "content": "Compute 3+5"}], "stream": True, **LONG}
    url = f"{server.base_url}/chat/completions"
    streams = [requests.post(url, json=body, timeout=60, stream=True) for _ in range(4)]
    for stream in streams:
        assert next(stream.iter_lines(chunk_size=None)).startswith(b"data: ")
        stream.close()
    started = time.monotonic()
    chat(server, max_tokens=2)
    assert time.monotonic() - started < 10


def test_no_cuda_library_is_loaded(server: RunningServer) -> None:
    (pid,) = listeners(server.host, server.port)
    loaded = {Path(mapped.path).name for mapped in psutil.Process(pid).memory_maps()}
    assert not [name for name in loaded if name.startswith(("libcuda", "libcudart", "libcublas"))]
