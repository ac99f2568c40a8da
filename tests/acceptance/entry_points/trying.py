"""How an entry point is tried: `lmdeploy chat` and its like in a terminal, Gradio in front of a server, the script."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fixtures.errors import RequestError, ServerError
from fixtures.gpu.sampler import Sampler
from fixtures.homework import STORY_PROMPT
from fixtures.lmdeploy.capabilities import Capabilities
from fixtures.lmdeploy.causes import cause_of
from fixtures.lmdeploy.commands import Command, Program, chat_command, gradio_command
from fixtures.process.command import running
from fixtures.process.port import bind_error, free_port
from fixtures.run.measurement import NotMeasured
from fixtures.run.progress import Progress
from fixtures.run.settings import Settings
from fixtures.server.deployment import LOOPBACK
from fixtures.texts import message
from tests.acceptance.entry_points.terminal import require_terminal, terminal

SCRIPT: Final = Path(__file__).with_name("internlm2_5.py")
"""The homework's own client, word for word from its section 4.1; formatters leave it alone."""

SCRIPTS_PORT: Final = ":23333/"

Keep = Callable[..., None]
"""`keep(command, transcript, seconds, note="", vram_mib=None, picture="")`: put what was seen into the evidence."""


@dataclass(frozen=True)
class Said:
    """One question in a terminal: seconds to the prompt, the answer, how the program ended, and its memory."""

    command: str
    answer: str
    exit_code: int
    started_seconds: float
    seconds: float
    vram_mib: int | None


@dataclass(frozen=True)
class Ground:
    """What every entry point stands on."""

    settings: Settings
    capabilities: Capabilities
    program: Program
    sampler: Sampler | None
    progress: Progress

    def require(self, subcommand: str) -> None:
        """Skip the test where the installed lmdeploy has no such subcommand of `lmdeploy serve`."""
        if f"serve {subcommand}" not in self.capabilities.subcommands:
            raise NotMeasured(message(f"not_offered.{subcommand}"))

    def chat(self, folder: Path, *, model_format: str = "", share: float | None = None) -> Said:
        """Ask a checkpoint in a terminal; its memory is read when the prompt is there."""
        command = chat_command(self.program, folder, self.capabilities, model_format=model_format, share=share)
        return self.converse(command, self.sampler)

    def converse(self, command: Command, sampler: Sampler | None = None) -> Said:
        """Ask for the homework's story in a terminal, then leave. Raises ServerError as :func:`terminal` does."""
        require_terminal()
        shown = " ".join(command.shown)
        with self.progress.stage(shown), terminal(command, self.settings.start_timeout) as opened:
            vram_mib = round(sampler.begin(shown)) if sampler else None
            began = time.monotonic()
            answer = opened.ask(STORY_PROMPT, self.settings.request_timeout)
            seconds = round(time.monotonic() - began, 1)
            code = opened.leave()
        return Said(shown, answer, code, round(opened.started_seconds, 1), seconds, vram_mib)

    @contextmanager
    def gradio(self, url: str, folder: Path) -> Iterator[tuple[str, str]]:
        """`lmdeploy serve gradio` in front of a server: the page's address and the command, while the block lasts.

        :raises ServerError: it ended, or does not listen in time.
        """
        port = free_port(LOOPBACK)
        command = gradio_command(self.program, url, LOOPBACK, port)
        shown = " ".join(command.shown)
        with running(
            command.argv,
            log=folder / "gradio.log",
            env={**os.environ, **command.env, "GRADIO_ANALYTICS_ENABLED": "False"},
            ready=lambda: bind_error(LOOPBACK, port) is not None,
            timeout=self.settings.start_timeout,
            not_ready=lambda how, end: ServerError("gradio_not_ready", where=shown, detail=end, how=how),
        ):
            yield f"http://{LOOPBACK}:{port}", shown


def with_port(script: str, port: int) -> str:
    """Put this port into the script. Raises ValueError where the homework's stands not exactly once."""
    if script.count(SCRIPTS_PORT) != 1:
        raise ValueError(f"{SCRIPTS_PORT} stands {script.count(SCRIPTS_PORT)} times in the script, not once")
    return script.replace(SCRIPTS_PORT, f":{port}/")


def run_script(port: int, folder: Path, timeout: float) -> str:
    """Save the script in a folder, run it as `python internlm2_5.py`, and return what it printed.

    A proxy is told to leave this machine out, as the learner's must be (`pytest --doctor` says so).

    :raises RequestError: it failed, or did not end in time; with its last lines.
    """
    file = folder / SCRIPT.name
    file.write_text(with_port(SCRIPT.read_text(encoding="utf-8"), port), encoding="utf-8")
    left_out = ",".join(filter(None, (os.environ.get("no_proxy"), "0.0.0.0")))
    try:
        done = subprocess.run(
            [sys.executable, str(file)],
            cwd=folder,
            env={**os.environ, "no_proxy": left_out, "NO_PROXY": left_out, "PYTHONUTF8": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=timeout,
        )
    except subprocess.TimeoutExpired:
        raise RequestError("script_without_end", where=SCRIPT.name, seconds=timeout) from None
    if done.returncode:
        cause = cause_of(done.stderr, done.returncode).or_last(done.stderr, 1)
        raise RequestError(
            "script_failed",
            where=SCRIPT.name,
            detail=cause.above(done.stderr.strip()[-2000:]),
            code=done.returncode,
            reason=cause.told,
            advice=cause.advice(message("entry_points.read_the_end")),
        )
    return done.stdout.strip()
