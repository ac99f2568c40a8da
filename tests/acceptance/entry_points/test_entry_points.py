"""其他入口 / The homework's other ways in: terminal chat, web page, own script, ssh tunnel, terminal client, Gradio."""

import time
from pathlib import Path

import pytest

from fixtures.gpu.sampler import Sampler
from fixtures.homework import CACHE_SHARE, STORY_PROMPT, SYSTEM_PROMPT
from fixtures.judge.fluency import chinese_fault
from fixtures.judge.special_tokens import leak_fault
from fixtures.judge.story import HEROES, heroes_fault
from fixtures.lmdeploy.commands import api_client_command
from fixtures.model.checkpoint import Checkpoint
from fixtures.model.quantization import QuantizedCheckpoint
from fixtures.run.claims import claim
from fixtures.run.measurement import Measure, assert_no_fault
from fixtures.run.settings import Settings
from fixtures.server.api_server import RunningServer
from fixtures.server.readiness import ask, model_names
from fixtures.texts import message
from tests.acceptance.entry_points.pages import (
    CHAT,
    MODELS,
    chat_in_gradio,
    page_in_browser,
    require_browser,
    try_it_out,
)
from tests.acceptance.entry_points.trying import SCRIPT, Ground, Keep, Said, run_script
from tests.acceptance.entry_points.tunnel import HOST, LEARNERS, require_ssh, tunnel

pytestmark = [pytest.mark.gpu, pytest.mark.entry_points, pytest.mark.alone]


def tells_the_story(text: str, measure: Measure) -> None:
    """Assert that a text is the story that was asked for."""
    measure("characters", len(text))
    assert_no_fault(heroes_fault(text) or chinese_fault(text) or leak_fault(text))


def told(said: Said, measure: Measure, keep: Keep) -> None:
    """Assert that the story was told in the terminal, and that `exit` ended the program well."""
    note = message("entry_points.prompted", seconds=said.started_seconds)
    keep(said.command, said.answer, said.seconds, note, said.vram_mib)
    measure("exit_code", said.exit_code, expected=0)
    tells_the_story(said.answer, measure)
    assert said.exit_code == 0


@claim(
    "entry_points.chat_source",
    part="chat",
    zh="入口：原模型的 lmdeploy chat",
    en="Entry point: lmdeploy chat, original weights",
)
def test_checkpoint_chats_in_a_terminal(source_chat: Said, measure: Measure, keep: Keep) -> None:
    """Section 2.3: a question, two times Enter, an answer, `exit`."""
    told(source_chat, measure, keep)


@claim(
    "entry_points.chat_smaller_cache",
    part="chat",
    zh="入口：lmdeploy chat 缩小 KV 缓存后显存更少",
    en="Entry point: lmdeploy chat with a smaller KV cache takes less VRAM",
    needs_gpu=True,
    structural="memory",
)
def test_half_the_cache_share_frees_memory(
    vram: Sampler, source_chat: Said, ground: Ground, checkpoint: Checkpoint, measure: Measure, keep: Keep
) -> None:
    """Section 3.2.1: `--cache-max-entry-count 0.4` against lmdeploy's own 0.8."""
    smaller_cache_chat = ground.chat(checkpoint.folder, share=CACHE_SHARE)
    baseline = vram.phase_mib("idle")
    whole, half = (float(said.vram_mib or 0) - baseline for said in (source_chat, smaller_cache_chat))
    measure("vram", half, "MiB", below=whole)
    told(smaller_cache_chat, measure, keep)
    assert 0 < half < whole


@claim(
    "entry_points.chat_quantized",
    part="chat",
    zh="入口：W4A16 模型的 lmdeploy chat",
    en="Entry point: lmdeploy chat, W4A16",
)
def test_quantized_checkpoint_chats_in_a_terminal(
    ground: Ground, quantized: QuantizedCheckpoint, measure: Measure, keep: Keep
) -> None:
    """The W4A16 checkpoint, with the homework's share for the KV cache."""
    told(ground.chat(quantized.folder, model_format="awq", share=CACHE_SHARE), measure, keep)


@claim("entry_points.web_page", part="chat", zh="入口：浏览器中的 API 网页", en="Entry point: the API's web page")
def test_web_page_lists_the_chat_route_and_tries_it_out(
    homework_server: RunningServer, ground: Ground, measure: Measure, keep: Keep
) -> None:
    """Section 3.1.1: http://127.0.0.1:23333 in a browser."""
    require_browser()
    server = homework_server
    url = f"http://{server.host}:{server.port}"
    messages = [{"role": "system", "content": SYSTEM_PROMPT}, {"role": "user", "content": STORY_PROMPT}]
    chat = {"model": server.model_name, "messages": messages}
    takes_a_chat = ground.capabilities.page_takes_a_chat
    route, body, wanted = (CHAT, chat, HEROES) if takes_a_chat else (MODELS, None, (server.model_name,))
    began = time.monotonic()
    with page_in_browser() as page:
        tried = try_it_out(page, url, route, body, ground.settings.request_timeout)
    note = message("entry_points.page_tried", route=route, assets=message(f"entry_points.assets.{tried.assets}"))
    keep(url, tried.answer, time.monotonic() - began, note, picture=tried.picture)
    measure("routes_listed", len(tried.routes), limit=CHAT)
    measure("status", tried.status, expected="200")
    assert CHAT in tried.routes
    assert tried.status == "200"
    assert all(word in tried.answer for word in wanted)


@claim(
    "entry_points.client_script",
    part="chat",
    zh="入口：作业脚本 internlm2_5.py",
    en="Entry point: the homework's internlm2_5.py",
)
def test_homeworks_own_script_tells_the_story(
    homework_server: RunningServer, settings: Settings, tmp_path: Path, measure: Measure, keep: Keep
) -> None:
    """Section 4.1: `python internlm2_5.py`, unchanged but for the port."""
    began = time.monotonic()
    printed = run_script(homework_server.port, tmp_path, settings.request_timeout)
    keep(f"python {SCRIPT.name}", printed, time.monotonic() - began)
    tells_the_story(printed, measure)


@claim("entry_points.tunnel", part="chat", zh="入口：ssh 端口转发", en="Entry point: an ssh tunnel")
def test_server_answers_through_an_ssh_tunnel(homework_server: RunningServer, measure: Measure, keep: Keep) -> None:
    """Section 3.1.1: `ssh -CNg -L`, with a local sshd in the place of the remote machine."""
    require_ssh()
    server = homework_server
    began = time.monotonic()
    with tunnel(server.port) as local:
        names = model_names(ask(HOST, local, MODELS)) or []
    keep(LEARNERS.format(port=server.port), f"GET {MODELS}: {names}", time.monotonic() - began)
    measure("model", ", ".join(names), expected=server.model_name)
    assert names == [server.model_name]


@claim(
    "entry_points.api_client",
    part="chat",
    zh="入口：命令行客户端 api_client",
    en="Entry point: the terminal client api_client",
)
def test_terminal_client_talks_to_the_server(
    ground: Ground, request: pytest.FixtureRequest, measure: Measure, keep: Keep
) -> None:
    """Section 3.1.2: `lmdeploy serve api_client`."""
    ground.require("api_client")
    server: RunningServer = request.getfixturevalue("homework_server")
    told(ground.converse(api_client_command(ground.program, f"http://{server.host}:{server.port}")), measure, keep)


@claim("entry_points.gradio", part="chat", zh="入口：Gradio 网页", en="Entry point: Gradio's web page")
def test_gradios_page_talks_to_the_server(
    ground: Ground, request: pytest.FixtureRequest, tmp_path: Path, measure: Measure, keep: Keep
) -> None:
    """Section 3.1.3: `lmdeploy serve gradio`, in a browser."""
    ground.require("gradio")
    require_browser()
    server: RunningServer = request.getfixturevalue("homework_server")
    began = time.monotonic()
    with (
        ground.gradio(f"http://{server.host}:{server.port}", tmp_path) as (address, command),
        page_in_browser() as page,
    ):
        timeout = ground.settings.request_timeout
        shown, picture = chat_in_gradio(page, address, STORY_PROMPT, HEROES[0], timeout)
    keep(command, shown, time.monotonic() - began, picture=picture)
    measure("characters", len(shown))
    assert_no_fault(heroes_fault(shown))
