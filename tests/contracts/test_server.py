"""The version's own routes, template and tool parser around an engine on the CPU: what the table promises of them."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from fixtures.ask.conversation import converse
from fixtures.ask.questions import GREEDY
from fixtures.client.answer import Answer
from fixtures.client.client import Client
from fixtures.client.streaming import join
from fixtures.client.tools import TOOLS
from fixtures.homework import ADD_PROMPT, CHAIN_PROMPT, CHAIN_RESULT, MODEL_NAME, STORY_PROMPT, SYSTEM_PROMPT
from fixtures.judge.envelope import prompt_growth_fault
from fixtures.judge.story import sample_fault
from fixtures.judge.stream import same_calls_fault, same_text_fault
from fixtures.judge.tool_calls import Expected, ToolConversation, conversation_fault, right_call_fault
from fixtures.lmdeploy.capabilities import Capabilities
from fixtures.model.quantization import QuantizedCheckpoint
from fixtures.run.measurement import Measure, assert_no_fault
from fixtures.server.api_server import RunningServer
from fixtures.server.readiness import ask, model_names
from tests.contracts.conftest import Start, contract

if TYPE_CHECKING:
    import requests

TIMEOUT = 120.0
"""Seconds for one answer of the engine on a busy processor."""

TOKENS = 256
STORY = [{"role": "system", "content": SYSTEM_PROMPT}, {"role": "user", "content": STORY_PROMPT}]
SUM = [{"role": "user", "content": ADD_PROMPT}]
CHAIN = Expected(calls=(("add", 3, 5), ("mul", 8, 2)), final=CHAIN_RESULT)


def post(server: RunningServer, **body: Any) -> requests.Response:
    """The answer to a chat completion, whatever it is."""
    import requests  # lmdeploy brings it; claims are also read without

    return requests.post(
        f"{server.base_url}/chat/completions",
        json={"model": MODEL_NAME, "max_tokens": TOKENS, "temperature": 0.0, **body},
        headers={"Authorization": f"Bearer {server.api_key}"},
        timeout=TIMEOUT,
    )


def get(server: RunningServer, path: str) -> requests.Response:
    """The answer to a GET, with the key."""
    import requests

    url = f"{server.base_url.removesuffix('/v1')}{path}"
    return requests.get(url, headers={"Authorization": f"Bearer {server.api_key}"}, timeout=TIMEOUT)


def chunks_of(text: str) -> list[dict[str, Any]]:
    """The events of a stream, parsed."""
    lines = (line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: "))
    return [json.loads(line) for line in lines if line != "[DONE]"]


def conversation(client: Client, role: str, capabilities: Capabilities) -> ToolConversation:
    """The homework's chain at temperature 0, its results given in `role`."""
    return converse(client, CHAIN_PROMPT, GREEDY, role, unique_ids=capabilities.unique_call_ids)


@contract("server.health", zh="/health", en="/health")
def test_health_answers(server: RunningServer, capabilities: Capabilities, measure: Measure) -> None:
    """200 when ready; where it could also say 503, it says more than the status."""
    answer = ask(server.host, server.port, "/health")
    measure("status", answer.status, expected=200)
    assert answer.status == 200
    says = json.loads(answer.body or b"null")
    assert isinstance(says, dict) == capabilities.health_tells_failure, f"the body is {answer.body[:200]!r}"


@contract("server.names_model", zh="/v1/models 给出模型名", en="/v1/models names the model")
def test_the_server_names_the_model_it_was_told(server: RunningServer) -> None:
    """`--model-name` is what `/v1/models` lists."""
    answer = ask(server.host, server.port, "/v1/models", api_key=server.api_key)
    assert model_names(answer) == [MODEL_NAME]


@contract("server.unknown_model", zh="未知模型名的状态码", en="status for an unknown model")
def test_another_model_is_an_error(server: RunningServer, capabilities: Capabilities, measure: Measure) -> None:
    """By its status, or up to 0.5 by the body alone."""
    answer = post(server, messages=STORY, model="another")
    measure("status", answer.status_code, expected=capabilities.unknown_model_status)
    assert answer.status_code == capabilities.unknown_model_status
    assert "error" in answer.text
    assert "choices" not in answer.text


@contract("server.chat", zh="对话", en="a chat")
def test_the_story_is_told(client: Client) -> None:
    """In Chinese, to its end, without special tokens, and its tokens are counted."""
    assert_no_fault(sample_fault(client.ask(STORY, max_tokens=1024, **asdict(GREEDY)), 1024))


@contract("server.too_long_input", zh="超过上下文的输入", en="input beyond the context")
def test_input_beyond_the_context_ends_as_the_table_says(
    server: RunningServer, quantized: QuantizedCheckpoint, capabilities: Capabilities, measure: Measure
) -> None:
    """An empty answer, an error in the text, or a 4xx that says so. Every character makes a token at least."""
    beyond = "狐" * (int(quantized.source.config["max_position_embeddings"]) + 1)
    answer = post(server, messages=[{"role": "user", "content": beyond}], max_tokens=16)
    came = too_long(answer)
    measure("beyond_the_context", came, expected=capabilities.too_long_input)
    assert came == capabilities.too_long_input, answer.text[:500]


def too_long(answer: requests.Response) -> str:
    """Name the answer as the table does, or quote another."""
    if 400 <= answer.status_code < 500:
        return "refused"
    if answer.status_code != 200:
        return f"HTTP {answer.status_code}"
    said = Answer(answer.json()).text
    return "error_in_text" if "error" in said else said[:80] or "empty_answer"


@contract("server.stream_usage", zh="流式返回中的 token 计数", en="count of tokens in a stream")
def test_a_stream_counts_its_tokens_where_promised(
    client: Client, capabilities: Capabilities, measure: Measure
) -> None:
    """And its text is the unstreamed one."""
    whole = client.ask(STORY, max_tokens=TOKENS, **asdict(GREEDY))
    streamed = client.stream(STORY, max_tokens=TOKENS, **asdict(GREEDY))
    measure("usage_in", streamed.usage_in, expected=capabilities.stream_usage)
    fault = same_text_fault(whole.text, streamed, capabilities.stream_usage)
    assert not fault, fault
    assert streamed.usage_in == capabilities.stream_usage


@contract("server.tools_in_prompt", zh="工具进入提示词", en="the tools reach the prompt")
def test_the_tools_reach_the_prompt(client: Client, measure: Measure) -> None:
    """Through the built-in template, or the one that the suite installed."""
    plain, offered = (client.ask(SUM, temperature=0, max_tokens=1, **extra) for extra in ({}, {"tools": list(TOOLS)}))
    measure("prompt_with_tools", offered.body["usage"]["prompt_tokens"], "tokens")
    assert_no_fault(prompt_growth_fault(plain, offered))


@contract("server.call", zh="函数调用被解析", en="a call is parsed")
def test_a_call_is_parsed(client: Client) -> None:
    """`add(3, 5)`, typed and alone, with finish_reason `tool_calls` and no trace of it in the text."""
    answer = client.ask(SUM, tools=list(TOOLS), max_tokens=TOKENS, **asdict(GREEDY))
    assert_no_fault(right_call_fault(answer, ("add", 3, 5)))


@contract("server.call_ids", zh="调用的编号", en="ids of calls")
def test_call_ids_are_as_promised(client: Client, capabilities: Capabilities, measure: Measure) -> None:
    """Of two answers: different, or both `0`."""
    ids = [
        call["id"]
        for _ in range(2)
        for call in client.ask(SUM, tools=list(TOOLS), max_tokens=TOKENS, **asdict(GREEDY)).tool_calls
    ]
    measure("ids", ", ".join(ids))
    assert len(ids) == 2
    assert len(set(ids)) == (2 if capabilities.unique_call_ids else 1)


@contract("server.result_as_tool", zh="结果以 tool 返回", en="results given as tool")
def test_results_are_taken_as_tool(client: Client, capabilities: Capabilities) -> None:
    """The homework's chain, to its final sentence."""
    assert_no_fault(conversation_fault(conversation(client, "tool", capabilities), CHAIN))


@contract("server.result_as_environment", zh="结果以 environment 返回", en="results given as environment")
def test_results_are_taken_as_environment(client: Client, capabilities: Capabilities) -> None:
    """The chain in the words of 2024."""
    assert_no_fault(conversation_fault(conversation(client, "environment", capabilities), CHAIN))


@contract("server.streamed_call", zh="流式返回的函数调用", en="a streamed call")
def test_a_streamed_call_comes_as_the_table_says(
    client: Client, server: RunningServer, capabilities: Capabilities, measure: Measure
) -> None:
    """As deltas, as text in the content, or with no stream at all."""
    answer = post(server, messages=SUM, tools=list(TOOLS), stream=True)
    assert answer.status_code == 200, answer.text[:500]
    came, answer.encoding = "in_one_answer", "utf-8"
    if answer.headers["Content-Type"].startswith("text/event-stream"):
        whole = client.ask(SUM, tools=list(TOOLS), max_tokens=TOKENS, **asdict(GREEDY))
        fault = same_calls_fault(whole.tool_calls, join(chunks_of(answer.text)))
        came = f"broken: {fault}" if fault else "as_deltas"
    measure("streamed_call", came, expected=capabilities.tools_streamed)
    assert came.partition(":")[0] == capabilities.tools_streamed, came


@contract("server.required", zh="tool_choice=required", en="tool_choice required")
def test_required_is_enforced_where_promised(client: Client, capabilities: Capabilities, measure: Measure) -> None:
    """A call instead of the story that was asked for."""
    answer = client.ask(STORY, tools=list(TOOLS), tool_choice="required", max_tokens=600, seed=3, temperature=0.8)
    measure("calls", len(answer.tool_calls))
    assert bool(answer.tool_calls) == capabilities.enforces_required, answer.text[:200]


@contract("server.metrics", zh="/metrics", en="/metrics")
def test_metrics_are_served(server: RunningServer, capabilities: Capabilities, measure: Measure) -> None:
    """On by default; to everyone, or to those who have the key."""
    answer = ask(server.host, server.port, "/metrics/", api_key=server.api_key)
    assert answer.status == 200
    assert b"lmdeploy:" in answer.body
    without, wanted = ask(server.host, server.port, "/metrics/").status, 200 if capabilities.open_metrics else 401
    measure("status_without_the_key", without, expected=wanted)
    assert without == wanted


@contract("server.without_parser", zh="不带 --tool-call-parser 时", en="without --tool-call-parser")
def test_tools_without_a_parser(start: Start, capabilities: Capabilities, measure: Measure) -> None:
    """The answer of a server that was started without `--tool-call-parser`, as the homework starts it."""
    with start(replace(capabilities, tool_call_parser=None)) as bare:
        answer = post(bare, messages=SUM, tools=list(TOOLS))
    came = without_parser(answer)
    measure("without_a_parser", came, expected=capabilities.tools_without_parser)
    assert came == capabilities.tools_without_parser, answer.text[:500]


def without_parser(answer: requests.Response) -> str:
    """Name the answer as the table does, or quote another."""
    if answer.status_code != 200:
        return "refused" if answer.status_code == 400 else f"HTTP {answer.status_code}"
    said = Answer(answer.json())
    if said.tool_calls:
        return "parsed"
    return "raw_text" if '"name"' in said.text or "'name'" in said.text else f"no call: {said.text[:80]!r}"
