"""The rehearsal server over HTTP. What the model says is not judged here: it may be untrained."""

from __future__ import annotations

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import requests

from fixtures.client.tools import ADD
from tests.rehearsal.conftest import MODEL_NAME, Server, serve

LONG = {"max_tokens": 3000, "ignore_eos": True}
"""About half a minute of computing for one request, unless it is cancelled."""
SEEDED = {"max_tokens": 40, "ignore_eos": True, "temperature": 0.8, "top_p": 0.8, "seed": 7}


def content(answer: dict) -> str:
    return answer["choices"][0]["message"]["content"]


def events(server: Server, **body):
    """The server-sent events of a streamed chat, parsed, with [DONE] last."""
    messages = [{"role": "user", "content": "Compute 3+5"}]
    payload = {"model": MODEL_NAME, "messages": messages, "stream": True, **body}
    url = f"{server.url}/v1/chat/completions"
    with requests.post(url, json=payload, timeout=60, stream=True) as response:
        assert response.status_code == 200
        for line in response.iter_lines(chunk_size=None, decode_unicode=True):
            if line.startswith("data: "):
                data = line.removeprefix("data: ")
                yield data if data == "[DONE]" else json.loads(data)


def test_named_model_is_listed(server):
    models = requests.get(f"{server.url}/v1/models", timeout=60).json()
    assert [model["id"] for model in models["data"]] == [MODEL_NAME]


def test_chat_is_answered_and_counted(server):
    status, answer = server.chat("帮我讲述一个关于狐狸和西瓜的小故事", max_tokens=30, ignore_eos=True)
    assert status == 200
    assert content(answer)
    assert answer["choices"][0]["finish_reason"] == "length"
    usage = answer["usage"]
    assert usage["completion_tokens"] == 30
    assert usage["total_tokens"] == usage["prompt_tokens"] + 30


def test_stop_string_ends_the_answer(server):
    """A stop string of one token, as lmdeploy takes them: `I need the tool add for this, but it is not available.`"""
    _, free = server.chat("Compute 3+5", temperature=0)
    head, comma, _ = content(free).partition(",")
    assert comma, "the answer has no comma to stop at"
    status, stopped = server.chat("Compute 3+5", temperature=0, stop=[","])
    assert status == 200
    assert stopped["choices"][0]["finish_reason"] == "stop"
    assert content(stopped) == head
    assert stopped["usage"]["completion_tokens"] < free["usage"]["completion_tokens"]


def test_seed_repeats_an_answer_and_another_does_not(server):
    first, again, other = (
        content(server.chat("Compute 3+5", **SEEDED | {"seed": seed, "temperature": 1.5, "top_p": 1.0})[1])
        for seed in (7, 7, 8)
    )
    assert first == again
    assert first != other


def test_stream_brings_the_same_text_in_pieces(server):
    *chunks, done = events(server, **SEEDED)
    assert done == "[DONE]"
    assert len(chunks) > 10
    text = "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])
    assert text == content(server.chat("Compute 3+5", **SEEDED)[1])
    reasons = [choice.get("finish_reason") for chunk in chunks for choice in chunk["choices"]]
    assert [reason for reason in reasons if reason] == ["length"]


def test_logprobs_come_when_asked_for(server):
    _, answer = server.chat("Compute 3+5", max_tokens=3, ignore_eos=True, logprobs=True, top_logprobs=2)
    rows = answer["choices"][0]["logprobs"]["content"]
    assert len(rows) == 3
    assert all(row["logprob"] <= 0.0 for row in rows)


def test_required_tool_call_follows_the_schema(server):
    """The grammar forces a call even from a model that would not make one."""
    # Hot, so that an untrained model does not fill the blanks that JSON allows up to the limit.
    sampling = {"temperature": 2.0, "top_p": 1.0, "seed": 3, "max_tokens": 600}
    status, answer = server.chat("Compute 3+5", tools=[ADD], tool_choice="required", **sampling)
    assert status == 200
    (choice,) = answer["choices"]
    assert choice["finish_reason"] == "tool_calls"
    (call,) = choice["message"]["tool_calls"]
    assert call["function"]["name"] == "add"
    arguments = json.loads(call["function"]["arguments"])
    assert {type(arguments["a"]), type(arguments["b"])} == {int}


def test_response_format_is_followed(server):
    wanted = {"type": "regex_schema", "regex_schema": "(yes|no), [0-9]{2}"}
    status, answer = server.chat("Is 3+5 8?", response_format=wanted, max_tokens=30)
    assert status == 200
    assert re.fullmatch(wanted["regex_schema"], content(answer))
    assert answer["choices"][0]["finish_reason"] == "stop"


def test_schema_of_the_tutorials_type_int_is_400_when_required(server):
    wrong = json.loads(json.dumps(ADD).replace('"integer"', '"int"'))
    status, answer = server.chat("Compute 3+5", tools=[wrong], tool_choice="required")
    assert status == 400
    assert 'Unsupported type "int"' in json.dumps(answer).replace('\\"', '"')


@pytest.mark.parametrize(
    "body",
    [
        {"temperature": 3.0},
        {"top_p": -1},
        {"max_tokens": 0},
        {"messages": "Compute 3+5 " * 4000},
        {"model": "another"},
    ],
    ids=["temperature", "top_p", "max_tokens", "too long", "model"],
)
def test_bad_request_is_rejected_and_not_500(server, body):
    messages = [{"role": "user", "content": body.pop("messages", "Compute 3+5")}]
    status, answer = server.post("/v1/chat/completions", {"model": MODEL_NAME, "messages": messages, **body})
    assert 400 <= status < 500, answer


def test_sixteen_requests_at_once_are_all_answered(server):
    def ask(number: int):
        return server.chat("Compute 3+5", max_tokens=20 + number, ignore_eos=True)

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, range(16)))
    assert [status for status, _ in answers] == [200] * 16
    assert [answer["usage"]["completion_tokens"] for _, answer in answers] == list(range(20, 36))


def test_clients_that_leave_free_their_slots(server):
    """All four handles go to streams that are abandoned; each would run for half a minute."""
    streams = [events(server, **LONG) for _ in range(4)]
    for stream in streams:
        next(stream)
    for stream in streams:
        stream.close()
    started = time.monotonic()
    status, _ = server.chat("Compute 3+5", max_tokens=2)
    assert status == 200
    assert time.monotonic() - started < 10


def test_no_cuda_library_is_loaded(server):
    loaded = {Path(mapped.path).name for mapped in psutil.Process(server.pid).memory_maps()}
    assert not [name for name in loaded if name.startswith(("libcuda", "libcudart", "libcublas"))]


def test_damaged_scales_change_the_answer(server, quantized, tmp_path, hub_cache):
    """The server reads the quantized weights, not the original's."""
    import torch
    from safetensors.torch import load_file, save_file

    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for file in quantized.iterdir():
        (damaged / file.name).write_bytes(file.read_bytes())
    weights = load_file(damaged / "model.safetensors")
    scales = weights["model.layers.1.feed_forward.w2.scales"]
    weights["model.layers.1.feed_forward.w2.scales"] = scales * torch.linspace(-8, 8, scales.shape[1]).to(scales.dtype)
    save_file(weights, damaged / "model.safetensors", metadata={"format": "pt"})
    hot = {"max_tokens": 60, "ignore_eos": True, "temperature": 1.5, "top_p": 1.0, "seed": 7}
    sound = content(server.chat("Compute 3+5", **hot)[1])
    other = serve(damaged, tmp_path / "server.log", hub_cache)
    try:
        assert content(next(other).chat("Compute 3+5", **hot)[1]) != sound
    finally:
        other.close()
