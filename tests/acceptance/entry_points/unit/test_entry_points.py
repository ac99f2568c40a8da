"""A terminal is driven as a person drives it; the script differs in its port alone; pictures of nothing else get in."""

import base64
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from fixtures.errors import RequestError, ServerError
from fixtures.evidence import Evidence, read
from fixtures.evidence.events import ClaimsSelected, Entry, Event, RunFinished, TestFinished
from fixtures.homework import API_KEY, STORY_PROMPT, SYSTEM_PROMPT
from fixtures.lmdeploy.capabilities import capabilities
from fixtures.lmdeploy.commands import Command, Program, api_client_command, chat_command, gradio_command
from fixtures.process.guard import process
from fixtures.process.port import bind_error
from fixtures.report.summary import summarize
from fixtures.server.readiness import ask
from fixtures.texts import Texts, message
from tests.acceptance.entry_points import pages
from tests.acceptance.entry_points.events import EntryPointTried
from tests.acceptance.entry_points.record import records
from tests.acceptance.entry_points.section import JPEG, key_figures, section
from tests.acceptance.entry_points.terminal import answer_of, terminal
from tests.acceptance.entry_points.trying import SCRIPT, Ground, run_script, with_port
from tests.acceptance.entry_points.tunnel import require_ssh, tunnel
from tests.unit.report.one_suite import run_of
from tests.unit.serving import port_of
from tests.unit.waiting import PROGRAMS, eventually

needs_pexpect = pytest.mark.skipif(find_spec("pexpect") is None, reason="pexpect is not installed")
CHAT = PROGRAMS / "terminal_chat.py"
START = 30.0
"""Seconds for a small Python program on a busy machine."""


@pytest.fixture
def refusing(tmp_path: Path) -> Iterator[int]:
    """The port of a server without files: it knows no path, which a client does not ask for twice."""
    with port_of(partial(SimpleHTTPRequestHandler, directory=str(tmp_path))) as port:
        yield port


def chat(how: str) -> Command:
    return Command(argv=(sys.executable, str(CHAT), how), shown=("lmdeploy", "chat", how))


@needs_pexpect
@pytest.mark.parametrize(("how", "code"), [("new", 0), ("old", 0), ("fails", 3)])
def test_question_typed_gets_its_answer_without_the_echo(how: str, code: int) -> None:
    with terminal(chat(how), START) as opened:
        pid = opened.process.pid
        assert opened.ask("狐狸和西瓜", START) == "狐狸问：西瓜"
        assert opened.ask("再说一遍", START) == "狐狸问：一遍"
        assert opened.leave() == code
    assert process(pid) is None


@needs_pexpect
@pytest.mark.parametrize(
    ("program", "told"),
    [
        ((str(CHAT), "dies"), "no CUDA here"),
        (("-c", "import os; print(os.get_terminal_size())"), "os.terminal_size(columns=200, lines=50)"),
    ],
    ids=["dies", "tells how wide its terminal is"],
)
def test_program_that_ends_is_told_with_what_it_said(program: tuple[str, ...], told: str) -> None:
    ends = Command(argv=(sys.executable, *program), shown=("lmdeploy", "chat"))
    with pytest.raises(ServerError, match="ended before it prompted") as failure, terminal(ends, START):
        pass
    assert told in failure.value.detail


@needs_pexpect
def test_program_without_a_prompt_is_given_up_and_gone() -> None:
    silent = Command(argv=(sys.executable, "-c", "import time; time.sleep(600)"), shown=("lmdeploy", "chat"))
    began = time.monotonic()
    with pytest.raises(ServerError, match="no prompt"), terminal(silent, 0.3):
        pass
    assert time.monotonic() - began < START


@needs_pexpect
@pytest.mark.parametrize("started_by", [(), ("nohup",)], ids=["typed", "nohup"])
def test_killed_run_leaves_no_program_and_had_not_forked(started_by: tuple[str, ...]) -> None:
    """`nohup` lets a run, and whatever it starts, outlive its own terminal; not the one that it opens."""
    run = [*started_by, sys.executable, str(PROGRAMS / "terminal_killed.py")]
    killed = subprocess.run(run, stdout=subprocess.PIPE, check=False)
    assert killed.returncode == -signal.SIGKILL
    pid, *forks = killed.stdout.decode().split()
    eventually(lambda: (left := process(int(pid))) is None or left.state == "Z")
    assert forks == []


def test_answer_is_what_follows_the_echo() -> None:
    assert answer_of("\x1b[?2004h问题\r\n\r\n回答\x08\r\n", "问题") == "回答"


def test_script_is_the_homeworks_but_for_the_port() -> None:
    script = SCRIPT.read_text(encoding="utf-8")
    assert all(word in script for word in (API_KEY, STORY_PROMPT, SYSTEM_PROMPT, "http://0.0.0.0:23333/v1"))
    assert with_port(script, 4711) == script.replace(":23333/", ":4711/")
    with pytest.raises(ValueError, match="0 times"):
        with_port(with_port(script, 4711), 4712)


def test_script_that_fails_is_told_with_its_last_lines(tmp_path: Path, refusing: int) -> None:
    with pytest.raises(RequestError, match="exit code 1") as failure:
        run_script(refusing, tmp_path, 60.0)
    assert "NotFoundError" in failure.value.detail


def test_commands_are_the_homeworks() -> None:
    program, table = Program(("lmdeploy",)), capabilities("0.9.2")
    model = Path("/root/models/internlm2_5-1_8b-chat")
    assert chat_command(program, model, table).argv == ("lmdeploy", "chat", str(model))
    assert chat_command(program, model, table, share=0.4).argv[-2:] == ("--cache-max-entry-count", "0.4")
    assert "--trust-remote-code" in chat_command(program, model, capabilities("0.18.0")).argv
    assert api_client_command(program, "http://h:1").argv == ("lmdeploy", "serve", "api_client", "http://h:1")
    assert gradio_command(program, "http://h:1", "127.0.0.1", 6006).argv[3:] == (
        "http://h:1", "--server-name", "127.0.0.1", "--server-port", "6006",
    )  # fmt: skip


@pytest.mark.parametrize("subcommand", ["api_client", "gradio"])
def test_subcommand_that_a_version_dropped_is_skipped(subcommand: str) -> None:
    unused: Any = None
    Ground(unused, capabilities("0.9.2"), Program(()), None, unused).require(subcommand)
    with pytest.raises(pytest.skip.Exception, match=r"dropped in 0\.10\.0"):
        Ground(unused, capabilities("0.10.0"), Program(()), None, unused).require(subcommand)


def test_tunnel_leads_to_the_port_and_is_gone_afterwards(refusing: int) -> None:
    require_ssh()
    with tunnel(refusing) as local:
        assert ask("127.0.0.1", local, "/no-such-file").status == 404
    assert bind_error("127.0.0.1", local) is None


def test_missing_programs_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(pytest.skip.Exception, match="ssh; ssh-keygen; sshd not found"):
        require_ssh()
    with pytest.raises(pytest.skip.Exception, match=r"playwright|Chromium"):
        pages.require_browser()


def entries(*tried: Event) -> list[Entry]:
    """A run of the entry points of which one was dropped by the version, and one failed before it was tried."""
    dropped, failed = "entry_points.api_client", "entry_points.gradio"
    reason = message("not_offered.api_client").as_json()
    return run_of(
        "entry_points",
        ClaimsSelected([dropped, failed], [], 2),
        *tried,
        TestFinished("t.py::test_api_client", dropped, "call", "skipped", 0.1, reason),
        TestFinished("t.py::test_gradio", failed, "call", "failed", 0.1, "ssh: refused"),
        RunFinished(1, 2),
    )


TUNNEL = EntryPointTried("entry_points.tunnel", "ssh -CNg -L 1:127.0.0.1:1", "<b>seen</b>", 1.5, vram_mib=34735)


def test_report_shows_what_was_seen_and_no_other_picture(tmp_path: Path) -> None:
    jpeg = JPEG + bytes(range(256)) * 400  # base64 of these bytes has slashes, which evidence takes for folders
    pictured = replace(TUNNEL, picture=base64.b32encode(jpeg).decode())
    evidence = Evidence(tmp_path)
    evidence.append(pictured)
    evidence.close()
    tried = [
        TUNNEL,
        replace(TUNNEL, note=message("entry_points.prompted", seconds=2).as_json()),
        read(tmp_path)[0].event,
        replace(TUNNEL, picture='data:image/svg+xml,<svg onload="alert(1)">'),
    ]
    run, texts = summarize(entries(*tried)), Texts("en")
    shown = str(section(run, texts))
    expected = ("&lt;b&gt;seen&lt;/b&gt;", "33.92 GiB", "prompt after 2 s", "ssh: refused")
    for text in (*expected, base64.b64encode(jpeg).decode()):
        assert text in shown
    assert shown.count("<img") == 1
    assert "any OpenAI client, such as the homework&#x27;s script" in shown
    assert [figure.value for figure in key_figures(run, texts)][1].startswith("33.92 GiB")
    assert section(summarize(entries()), texts) is None


def test_record_says_of_each_what_became_of_it() -> None:
    found = records(entries(TUNNEL))["entry-points-0.18.0-{gpu}"]
    rows = {row["claim"]: row for row in found["entry_points"]}
    assert len(rows) == 8
    assert rows["entry_points.api_client"]["state"] == "not_offered"
    assert (rows["entry_points.gradio"]["state"], rows["entry_points.gradio"]["cause"]) == ("failed", "ssh: refused")
    assert (rows["entry_points.tunnel"]["characters_seen"], rows["entry_points.tunnel"]["picture"]) == (11, False)
    assert records(entries()) == {}


class Streamed:
    """A page on which an answer grows with every look, up to its length."""

    url = "http://127.0.0.1:6006"

    def __init__(self, length: float) -> None:
        self._length, self._shown = length, 0

    def inner_text(self) -> str:
        self._shown = int(min(self._length, self._shown + 1))
        return "狐" * self._shown

    def wait_for_timeout(self, milliseconds: float) -> None:
        assert milliseconds == 1000 * pages.STILL


def test_streamed_answer_is_read_when_it_is_whole_or_told_to_be_without_end() -> None:
    whole, endless = Streamed(3), Streamed(float("inf"))
    assert pages._whole(whole, whole, 60.0) == "狐狐狐"
    with pytest.raises(RequestError, match=r"does not end within 0\.05 s"):
        pages._whole(endless, endless, 0.05)
