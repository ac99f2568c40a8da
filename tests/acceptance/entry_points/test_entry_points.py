"""其他入口 / The homework's other doors: terminal chat, web page, own script, ssh tunnel, terminal client, Gradio."""

import time
from pathlib import Path

import pytest

from fixtures.gpu.sampler import Sampler
from fixtures.homework import STORY_PROMPT, SYSTEM_PROMPT
from fixtures.judge.fluency import chinese_fault
from fixtures.judge.special_tokens import leak_fault
from fixtures.judge.story import HEROES, heroes_fault
from fixtures.lmdeploy.capabilities import Capabilities
from fixtures.lmdeploy.commands import api_client_command, lmdeploy_program
from fixtures.report.pictures import browser
from fixtures.run.claims import claim
from fixtures.run.measurement import Measure
from fixtures.run.settings import Settings
from fixtures.server.api_server import RunningServer
from fixtures.server.readiness import ask, model_names
from fixtures.texts import Message
from tests.acceptance.entry_points import pages
from tests.acceptance.entry_points import tunnel as ssh
from tests.acceptance.entry_points.client_script import SCRIPT, run_script
from tests.acceptance.entry_points.pages import CHAT, MODELS, AssetsAway, chat_in_gradio, page_of, try_it_out
from tests.acceptance.entry_points.plugin import Keep, Said, converse, gradio, require

pytestmark = [pytest.mark.gpu, pytest.mark.doors, pytest.mark.alone]


def story_fault(text: str) -> Message | None:
    """Find why a text is not the story that was asked for."""
    return heroes_fault(text) or chinese_fault(text) or leak_fault(text)


def told(said: Said, measure: Measure, keep: Keep) -> None:
    """The story was told in the terminal, and `exit` ended the program well."""
    keep(said.command, said.answer, said.seconds, f"prompt after {said.started_seconds} s", said.vram_mib)
    measure("length", len(said.answer), "characters")
    measure("exit_code", said.exit_code, limit="0")
    assert not story_fault(said.answer), story_fault(said.answer)
    assert said.exit_code == 0


@claim(
    "doors.chat_source",
    part="chat",
    zh="入口：原模型的 lmdeploy chat",
    en="Door: lmdeploy chat, original weights",
)
def test_the_checkpoint_chats_in_a_terminal(source_chat: Said, measure: Measure, keep: Keep) -> None:
    """Section 2.3: a question, two times Enter, an answer, `exit`."""
    told(source_chat, measure, keep)


@claim(
    "doors.chat_smaller_cache",
    part="chat",
    zh="入口：lmdeploy chat 缩小 KV 缓存后显存更少",
    en="Door: lmdeploy chat with a smaller KV cache takes less VRAM",
    needs_gpu=True,
    structural="memory",
)
def test_half_the_cache_share_frees_memory(
    vram: Sampler, source_chat: Said, smaller_cache_chat: Said, measure: Measure, keep: Keep
) -> None:
    """Section 3.2.1: `--cache-max-entry-count 0.4` against lmdeploy's own 0.8."""
    baseline = vram.phase_mib("idle")
    whole, half = (float(said.vram_mib or 0) - baseline for said in (source_chat, smaller_cache_chat))
    measure("vram", f"{whole:.0f}, {half:.0f}", "MiB", "the second is smaller")
    told(smaller_cache_chat, measure, keep)
    assert 0 < half < whole


@claim(
    "doors.chat_quantized",
    part="chat",
    zh="入口：W4A16 模型的 lmdeploy chat",
    en="Door: lmdeploy chat, W4A16",
)
def test_the_quantized_checkpoint_chats_in_a_terminal(quantized_chat: Said, measure: Measure, keep: Keep) -> None:
    """The W4A16 checkpoint, with the homework's share for the KV cache."""
    told(quantized_chat, measure, keep)


@claim(
    "doors.web_page",
    part="chat",
    zh="入口：浏览器中的 API 网页",
    en="Door: the API's web page",
)
def test_the_web_page_lists_the_chat_route_and_tries_it_out(
    homework_server: RunningServer, capabilities: Capabilities, settings: Settings, measure: Measure, keep: Keep
) -> None:
    """Section 3.1.1: http://127.0.0.1:23333 in a browser."""
    if reason := pages.why_not():
        pytest.skip(reason)
    server = homework_server
    url = f"http://{server.host}:{server.port}"
    chat = {
        "model": server.model_name,
        "messages": [{"role": "system", "content": SYSTEM_PROMPT}, {"role": "user", "content": STORY_PROMPT}],
    }
    takes_a_chat = capabilities.page_takes_a_chat
    route, body, wanted = (CHAT, chat, HEROES) if takes_a_chat else (MODELS, None, (server.model_name,))
    began = time.monotonic()
    with page_of(browser() or "") as page:
        try:
            tried = try_it_out(page, url, route, body, settings.request_timeout)
        except AssetsAway as error:
            keep(url, error.what, time.monotonic() - began, note=error.remedy)
            pytest.skip(f"not measured: {error.what}; {error.remedy}")
    note = f"{route} tried; script and style: {tried.assets}"
    keep(url, tried.answer, time.monotonic() - began, note=note, picture=tried.picture)
    measure("routes_listed", len(tried.routes), limit=CHAT)
    measure("status", tried.status, limit="200")
    assert CHAT in tried.routes
    assert tried.status == "200"
    assert all(word in tried.answer for word in wanted)


@claim(
    "doors.client_script",
    part="chat",
    zh="入口：作业脚本 internlm2_5.py",
    en="Door: the homework's internlm2_5.py",
)
def test_the_homeworks_own_script_tells_the_story(
    homework_server: RunningServer, settings: Settings, tmp_path: Path, measure: Measure, keep: Keep
) -> None:
    """Section 4.1: `python internlm2_5.py`, unchanged but for the port."""
    began = time.monotonic()
    printed = run_script(homework_server.port, tmp_path, settings.request_timeout)
    keep(f"python {SCRIPT.name}", printed, time.monotonic() - began)
    measure("length", len(printed), "characters")
    assert not story_fault(printed), story_fault(printed)


@claim(
    "doors.tunnel",
    part="chat",
    zh="入口：ssh 端口转发",
    en="Door: an ssh tunnel",
)
def test_the_server_answers_through_an_ssh_tunnel(homework_server: RunningServer, measure: Measure, keep: Keep) -> None:
    """Section 3.1.1: `ssh -CNg -L`, with a local sshd in the place of the remote machine."""
    if reason := ssh.why_not():
        pytest.skip(reason)
    server = homework_server
    began = time.monotonic()
    with ssh.tunnel(server.port) as local:
        names = model_names(ask(ssh.HOST, local, "/v1/models"))
    keep(ssh.LEARNERS.format(port=server.port), f"GET /v1/models: {names}", time.monotonic() - began)
    measure("model", ", ".join(names or []) or "none", limit=server.model_name)
    assert names == [server.model_name]


@claim(
    "doors.api_client",
    part="chat",
    zh="入口：命令行客户端 api_client",
    en="Door: the terminal client api_client",
)
def test_the_terminal_client_talks_to_the_server(
    homework_server: RunningServer, capabilities: Capabilities, settings: Settings, measure: Measure, keep: Keep
) -> None:
    """Section 3.1.2: `lmdeploy serve api_client`."""
    require(capabilities, "serve api_client")
    url = f"http://{homework_server.host}:{homework_server.port}"
    said = converse(api_client_command(lmdeploy_program(settings.rehearse), url), settings)
    told(said, measure, keep)


@claim(
    "doors.gradio",
    part="chat",
    zh="入口：Gradio 网页",
    en="Door: Gradio's web page",
)
def test_gradios_page_talks_to_the_server(
    homework_server: RunningServer, capabilities: Capabilities, settings: Settings, tmp_path: Path, measure: Measure,
    keep: Keep,
) -> None:  # fmt: skip
    """Section 3.1.3: `lmdeploy serve gradio`, in a browser."""
    require(capabilities, "serve gradio")
    if reason := pages.why_not():
        pytest.skip(reason)
    url = f"http://{homework_server.host}:{homework_server.port}"
    began = time.monotonic()
    with (
        gradio(lmdeploy_program(settings.rehearse), url, tmp_path, settings.start_timeout) as (address, command),
        page_of(browser() or "") as page,
    ):
        shown, picture = chat_in_gradio(page, address, STORY_PROMPT, HEROES[0], settings.request_timeout)
    keep(command, shown, time.monotonic() - began, picture=picture)
    measure("length", len(shown), "characters")
    assert not heroes_fault(shown), heroes_fault(shown)
