"""`lmdeploy chat` and `lmdeploy serve api_client` as a person meets them: a terminal, a prompt, two times Enter."""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fixtures.errors import ServerError
from fixtures.lmdeploy.commands import Command
from fixtures.process.guard import descendants, send_signal
from fixtures.run.measurement import not_measured

if TYPE_CHECKING:
    from pexpect.fdpexpect import fdspawn  # only this suite needs it

PROMPT: Final = "double enter to end input >>> "
"""What the program waits with. Source: `lmdeploy/cli/chat.py`, and the homework's section 3.1.2."""

LINES: Final = 50
COLUMNS: Final = 200
"""Wide enough that no line of a question is folded by the terminal, which would repeat a part of it."""

HANGUP_TIMEOUT: Final = 1.0
"""Seconds from a closed terminal to the end of a program that heeds it."""

TAKE_TERMINAL: Final = """
import fcntl, os, signal, sys, termios
signal.signal(signal.SIGHUP, signal.SIG_DFL)
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""
"""Makes the terminal the program's own, and becomes the program: outside this process, which has threads and must not
fork, as pexpect's `spawn` does. Where pytest was started by `nohup`, the program would not heed that terminal's end."""

EXIT_TIMEOUT: Final = 60.0
"""Seconds from `exit` to the end of the program: it frees the GPU, which took a server 3.5 s."""

_STEERING: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07]*\x07|[@-Z\\-_])|\x08|\x07")
_ASSISTANT: Final = "<|im_start|>assistant\n"
"""Up to 0.9 the terminal also shows the prompt as the model sees it."""


def require_terminal() -> None:
    """Skip the test where no terminal can be driven from this environment."""
    if importlib.util.find_spec("pexpect") is None:
        not_measured("no_pexpect")


@dataclass(frozen=True)
class Terminal:
    """A running program at its prompt. `started_seconds` is the time until the prompt was there."""

    child: fdspawn
    process: subprocess.Popen[bytes]
    started_seconds: float
    shown: str

    def ask(self, question: str, timeout: float) -> str:
        """Type a question and two times Enter; return the answer, when the next prompt is there.

        :raises ServerError: no next prompt in time, or the program ended.
        """
        self.child.sendline(question)
        self.child.sendline("")
        _expect_prompt(self.child, timeout, self.shown)
        return answer_of(self.child.before or "", question)

    def leave(self) -> int:
        """Type `exit` and two times Enter; return the program's exit code (128 + n for signal n).

        :raises ServerError: it goes on.
        """
        import pexpect

        self.child.sendline("exit")
        self.child.sendline("")
        if self.child.expect([pexpect.EOF, pexpect.TIMEOUT], timeout=EXIT_TIMEOUT):
            raise _failure(self.child, self.shown, "terminal_goes_on", seconds=EXIT_TIMEOUT)
        code = self.process.wait()
        return 128 - code if code < 0 else code


def answer_of(seen: str, question: str) -> str:
    """Find the answer among what a terminal showed: without the question's echo and the terminal's steering."""
    text = _STEERING.sub("", seen).replace("\r", "")
    for end in (question, _ASSISTANT):
        text = text.rpartition(end)[2]
    return text.strip()


@contextmanager
def terminal(command: Command, start_timeout: float) -> Iterator[Terminal]:
    """Run the program in a terminal of its own, at its first prompt; nothing of it is left afterwards.

    It is its terminal's session leader: should pytest be killed, the terminal closes and the kernel hangs it up.

    :raises ServerError: no prompt in time, or the program ended.
    """
    from pexpect.fdpexpect import fdspawn

    started = time.monotonic()
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    try:
        process = subprocess.Popen(
            [sys.executable, "-S", "-c", TAKE_TERMINAL, *command.argv],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, **command.env, "TERM": "dumb", "LC_ALL": "C.UTF-8", "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    child = fdspawn(ours, encoding="utf-8", codec_errors="replace", use_poll=True)
    shown = " ".join(command.shown)
    try:
        _expect_prompt(child, start_timeout, shown)
        yield Terminal(child, process, time.monotonic() - started, shown)
    finally:
        left = descendants(process.pid) if process.poll() is None else []
        child.close()  # the kernel hangs up
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(HANGUP_TIMEOUT)
        finally:
            process.kill()
            process.wait()
            for found in left:
                send_signal(found, signal.SIGKILL)


def _expect_prompt(child: fdspawn, timeout: float, shown: str) -> None:
    import pexpect

    found = child.expect_exact([PROMPT, pexpect.EOF, pexpect.TIMEOUT], timeout=timeout)
    if found == 1:
        raise _failure(child, shown, "terminal_ended")
    if found == 2:
        raise _failure(child, shown, "terminal_no_prompt", prompt=PROMPT.strip(), seconds=timeout)


def _failure(child: fdspawn, shown: str, error: str, **fields: Any) -> ServerError:
    seen = _STEERING.sub("", child.before or "").replace("\r", "").strip()
    return ServerError(error, where=shown, detail=seen[-4000:], **fields)
