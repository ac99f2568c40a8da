"""A terminal is driven as a person drives it; the script differs in its port alone; pictures of nothing else get in."""

import base64
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from fixtures.errors import RequestError, ServerError
from fixtures.evidence import Evidence, read
from fixtures.evidence.events import Entry
from fixtures.homework import API_KEY, STORY_PROMPT, SYSTEM_PROMPT
from fixtures.lmdeploy.capabilities import capabilities
from fixtures.lmdeploy.commands import Command, Program, api_client_command, chat_command, gradio_command
from fixtures.process.guard import process
from fixtures.process.port import bind_error
from fixtures.report.summary import summarize
from fixtures.server.readiness import ask
from fixtures.texts import Texts
from tests.acceptance.entry_points import pages, tunnel
from tests.acceptance.entry_points.client_script import SCRIPT, run_script, with_port
from tests.acceptance.entry_points.events import DoorTried
from tests.acceptance.entry_points.plugin import DROPPED, require
from tests.acceptance.entry_points.section import JPEG, doors_section
from tests.acceptance.entry_points.terminal import answer_of, terminal
from tests.acceptance.entry_points.terminal import why_not as no_terminal
from tests.unit.report import synthetic
from tests.unit.waiting import PROGRAMS, eventually

needs_pexpect = pytest.mark.skipif(bool(no_terminal()), reason=no_terminal() or "-")
CHAT = PROGRAMS / "terminal_chat.py"
START = 30.0
"""Seconds for a small Python program on a busy machine."""


class Refusing(BaseHTTPRequestHandler):
    """Knows no path, which a client does not ask for twice."""

    def do_GET(self) -> None:
        self.send_error(404, explain="no such path")

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def refusing() -> Iterator[int]:
    """The port of such a server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def chat(how: str) -> Command:
    return Command(argv=(sys.executable, str(CHAT), how), shown=("lmdeploy", "chat", how))


@needs_pexpect
@pytest.mark.parametrize("how", ["new", "old"])
def test_a_question_typed_gets_its_answer_without_the_echo(how: str) -> None:
    with terminal(chat(how), START) as opened:
        pid = opened.process.pid
        assert opened.ask("狐狸和西瓜", START) == "狐狸问：西瓜"
        assert opened.ask("再说一遍", START) == "狐狸问：一遍"
        assert opened.leave() == 0
    assert process(pid) is None


@needs_pexpect
def test_the_exit_code_is_the_programs() -> None:
    with terminal(chat("fails"), START) as opened:
        assert opened.leave() == 3


@needs_pexpect
def test_a_program_that_dies_is_told_with_what_it_said() -> None:
    with pytest.raises(ServerError, match="ended before it prompted") as failure, terminal(chat("dies"), START):
        pass
    assert "no CUDA here" in failure.value.detail


@needs_pexpect
def test_a_program_without_a_prompt_is_given_up_and_gone() -> None:
    silent = Command(argv=(sys.executable, "-c", "import time; time.sleep(600)"), shown=("lmdeploy", "chat"))
    began = time.monotonic()
    with pytest.raises(ServerError, match="no prompt"), terminal(silent, 0.3):
        pass
    assert time.monotonic() - began < START


@needs_pexpect
def test_the_terminal_is_wide_enough_for_a_question() -> None:
    asks = Command(argv=(sys.executable, "-c", "import os; print(os.get_terminal_size())"), shown=("lmdeploy", "chat"))
    with pytest.raises(ServerError) as failure, terminal(asks, START):
        pass
    assert failure.value.detail == "os.terminal_size(columns=200, lines=50)"


@needs_pexpect
@pytest.mark.parametrize("started_by", [(), ("nohup",)], ids=["typed", "nohup"])
def test_a_killed_run_leaves_no_program_and_had_not_forked(started_by: tuple[str, ...]) -> None:
    """`nohup` lets a run, and whatever it starts, outlive its own terminal; not the one that it opens."""
    run = [*started_by, sys.executable, str(PROGRAMS / "terminal_killed.py")]
    killed = subprocess.run(run, stdout=subprocess.PIPE, check=False)
    assert killed.returncode == -signal.SIGKILL
    pid, *forks = killed.stdout.decode().split()
    eventually(lambda: (left := process(int(pid))) is None or left.state == "Z")
    assert forks == []


def test_the_answer_is_what_follows_the_echo() -> None:
    assert answer_of("\x1b[?2004h问题\r\n\r\n回答\x08\r\n", "问题") == "回答"


def test_the_script_is_the_homeworks_but_for_the_port() -> None:
    script = SCRIPT.read_text(encoding="utf-8")
    assert all(word in script for word in (API_KEY, STORY_PROMPT, SYSTEM_PROMPT, "http://0.0.0.0:23333/v1"))
    assert with_port(script, 4711) == script.replace(":23333/", ":4711/")
    with pytest.raises(ValueError, match="0 times"):
        with_port(with_port(script, 4711), 4712)


def test_a_script_that_fails_is_told_with_its_last_lines(tmp_path: Path, refusing: int) -> None:
    with pytest.raises(RequestError, match="exit code 1") as failure:
        run_script(refusing, tmp_path, 60.0)
    assert "NotFoundError" in failure.value.detail


def test_the_commands_are_the_homeworks() -> None:
    program, table = Program(("lmdeploy",)), capabilities("0.9.2")
    model = Path("/root/models/internlm2_5-1_8b-chat")
    assert chat_command(program, model, table).argv == ("lmdeploy", "chat", str(model))
    assert chat_command(program, model, table, share=0.4).argv[-2:] == ("--cache-max-entry-count", "0.4")
    assert "--trust-remote-code" in chat_command(program, model, capabilities("0.18.0")).argv
    assert api_client_command(program, "http://h:1").argv == ("lmdeploy", "serve", "api_client", "http://h:1")
    assert gradio_command(program, "http://h:1", "127.0.0.1", 6006).argv[3:] == (
        "http://h:1", "--server-name", "127.0.0.1", "--server-port", "6006",
    )  # fmt: skip


@pytest.mark.parametrize("subcommand", DROPPED)
def test_what_a_version_dropped_is_skipped_with_what_replaces_it(subcommand: str) -> None:
    require(capabilities("0.9.2"), subcommand)
    with pytest.raises(pytest.skip.Exception, match=r"dropped by lmdeploy in 0\.10\.0"):
        require(capabilities("0.10.0"), subcommand)


@pytest.mark.skipif(bool(tunnel.why_not()), reason=tunnel.why_not() or "-")
def test_a_tunnel_leads_to_the_port_and_is_gone_afterwards(tmp_path: Path, refusing: int) -> None:
    with tunnel.tunnel(refusing) as local:
        assert ask("127.0.0.1", local, "/no-such-file").status == 404
    assert bind_error("127.0.0.1", local) is None
    assert list(tmp_path.iterdir()) == []


def test_missing_programs_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    assert "ssh, ssh-keygen, sshd not found" in tunnel.why_not()
    assert "Chromium" in pages.why_not() or "playwright" in pages.why_not()


def test_a_picture_survives_the_evidence(tmp_path: Path) -> None:
    picture = base64.b32encode(JPEG + bytes(range(256)) * 400).decode()
    evidence = Evidence(tmp_path)
    evidence.append(DoorTried("doors.web_page", "http://127.0.0.1:1", "{}", 2.0, picture=picture))
    evidence.close()
    assert read(tmp_path)[0].event == DoorTried("doors.web_page", "http://127.0.0.1:1", "{}", 2.0, picture=picture)


def test_the_report_shows_what_was_seen_and_no_other_picture() -> None:
    started = synthetic.entries()[0]
    # Base64 of these bytes has slashes.
    jpeg = JPEG + bytes(range(256)) * 40
    tried = [
        DoorTried("doors.tunnel", "ssh -CNg -L 1:127.0.0.1:1", "<b>seen</b>", 1.5, vram_mib=34735),
        DoorTried("doors.web_page", "http://127.0.0.1:1", "{}", 2.0, picture=base64.b32encode(jpeg).decode()),
        DoorTried("doors.gradio", "x", "y", 2.0, picture='data:image/svg+xml,<svg onload="alert(1)">'),
    ]
    entries = [started, *(Entry(t=1.0, at=started.at, event=event) for event in tried)]
    shown = str(doors_section(summarize(entries), Texts("en")))
    assert "&lt;b&gt;seen&lt;/b&gt;" in shown
    assert "34,735 MiB" in shown
    assert shown.count("<img") == 1
    assert base64.b64encode(jpeg).decode() in shown
    assert doors_section(summarize([started]), Texts("en")) is None


class Streamed:
    """A page on which an answer grows with every look, and stays when it is whole."""

    url = "http://127.0.0.1:6006"

    def __init__(self, pieces: list[str]) -> None:
        self._pieces = pieces

    def inner_text(self) -> str:
        return self._pieces.pop(0) if len(self._pieces) > 1 else self._pieces[0]

    def wait_for_timeout(self, milliseconds: float) -> None:
        assert milliseconds == 1000 * pages.STILL


def test_a_streamed_answer_is_read_when_it_is_whole() -> None:
    page = Streamed(["狐狸", "狐狸和", "狐狸和西瓜", "狐狸和西瓜"])
    assert pages._whole(page, page, 60.0) == "狐狸和西瓜"


def test_an_answer_without_end_is_told() -> None:
    page = Streamed([str(number) for number in range(100_000)])
    with pytest.raises(RequestError, match=r"does not end within 0\.05 s"):
        pages._whole(page, page, 0.05)
