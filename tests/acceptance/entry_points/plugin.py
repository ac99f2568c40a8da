"""Fixtures of the doors: what was seen behind each is kept as evidence before anything is asserted."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pytest
from xprocess import XProcess

from fixtures.errors import ServerError
from fixtures.evidence import Evidence
from fixtures.evidence.events import CONTROL_PHASE, EnvironmentRecorded
from fixtures.gpu.plugin import mark
from fixtures.gpu.sampler import Sampler, wait_released
from fixtures.homework import MODEL_NAME, STORY_PROMPT
from fixtures.lmdeploy.capabilities import Capabilities
from fixtures.lmdeploy.commands import Command, Program, chat_command, gradio_command, lmdeploy_program, serve_command
from fixtures.model.checkpoint import Checkpoint
from fixtures.model.quantization import QuantizedCheckpoint
from fixtures.process.command import running
from fixtures.process.port import bind_error, free_port
from fixtures.run.claims import NOT_OFFERED, claim_of
from fixtures.run.progress import Progress
from fixtures.run.settings import Settings
from fixtures.server.api_server import RunningServer
from fixtures.server.deployment import DEPLOYMENT, Deployment, started
from tests.acceptance.entry_points.events import DoorTried
from tests.acceptance.entry_points.terminal import terminal, why_not

HOMEWORK_SHARE: Final = 0.4
"""Section 3.2.1 of the homework; lmdeploy's own is 0.8."""
LOOPBACK: Final = "127.0.0.1"

Keep = Callable[..., None]
"""`keep(command, transcript, seconds, note="", vram_mib=None, picture="")`: put what was seen into the evidence."""

DROPPED: Final = {
    "serve api_client": "dropped by lmdeploy in 0.10.0; `lmdeploy chat` talks to a checkpoint in the terminal, and any "
    "OpenAI client (the homework's script) to the server",
    "serve gradio": "dropped by lmdeploy in 0.10.0; any web interface for an OpenAI server takes its place, and the "
    "api_server's own page at its root asks single questions",
}
"""What a version that has no such subcommand offers in its place; when it went is in `fixtures/lmdeploy/capabilities.py`."""


@dataclass(frozen=True)
class Said:
    """One question in a terminal: seconds to the prompt, the answer, how the program ended, and its memory."""

    command: str
    answer: str
    exit_code: int
    started_seconds: float
    seconds: float
    vram_mib: int | None


@pytest.fixture
def keep(request: pytest.FixtureRequest, evidence: Evidence) -> Keep:
    """Records what was seen behind the running test's door."""
    claim = claim_of(request.node)

    def record(
        command: str, transcript: str, seconds: float, note: str = "", vram_mib: int | None = None, picture: str = ""
    ) -> None:
        evidence.append(DoorTried(claim, command, transcript, round(seconds, 2), note, vram_mib, picture))

    return record


def require(table: Capabilities, subcommand: str) -> None:
    """Skip the test where the installed lmdeploy has no such subcommand, and say what replaces it."""
    if subcommand not in table.subcommands:
        pytest.skip(f"{NOT_OFFERED}: {DROPPED[subcommand]}")


def converse(command: Command, settings: Settings, memory: Callable[[], int | None] = lambda: None) -> Said:
    """Ask for the homework's story in a terminal, then leave. Raises ServerError as :func:`terminal` does."""
    if reason := why_not():
        pytest.skip(reason)
    with terminal(command, settings.start_timeout) as opened:
        vram_mib = memory()
        began = time.monotonic()
        answer = opened.ask(STORY_PROMPT, settings.request_timeout)
        seconds = time.monotonic() - began
        code = opened.leave()
    return Said(" ".join(command.shown), answer, code, round(opened.started_seconds, 1), round(seconds, 1), vram_mib)


@pytest.fixture(scope="module")
def gpu_to_itself(request: pytest.FixtureRequest, sampler: Sampler | None) -> None:
    """The deployment, if this run has one, is stopped, and its memory given back."""
    running: Deployment | None = request.config.stash.get(DEPLOYMENT, None)
    if running is not None:
        running.stop()
    # From here on others than the deployment use the GPU.
    mark(sampler, CONTROL_PHASE)
    if sampler is not None:
        wait_released(sampler.last_mib, sampler.phase_mib("idle"))


@pytest.fixture(scope="module")
def homework_server(
    ground: Ground, quantized: QuantizedCheckpoint, evidence: Evidence, xprocess: XProcess
) -> Iterator[RunningServer]:
    """The homework's command of section 4.1 as a learner types it, which asks for no key: browsers, `ssh` and the
    homework's script have none to give. It listens on loopback, for as long as the doors are tried."""
    settings = replace(ground.settings, server_name=LOOPBACK)
    command = serve_command(
        ground.program, quantized.folder, MODEL_NAME, "awq", free_port(LOOPBACK), settings, ground.table
    )
    run_id = f"{evidence.folder.name}-doors"
    with started(xprocess, command, settings, ground.progress, "start_the_homework_s_server", run_id) as server:
        yield server


@dataclass(frozen=True)
class Ground:
    """What every door stands on."""

    settings: Settings
    table: Capabilities
    program: Program
    sampler: Sampler | None
    progress: Progress

    def chat(self, folder: Path, *, model_format: str = "", share: float | None = None) -> Said:
        """One terminal chat, its memory read when the prompt is there."""
        command = chat_command(self.program, folder, self.table, model_format=model_format, share=share)
        shown = " ".join(command.shown)

        def memory() -> int | None:
            mark(self.sampler, shown)
            return None if self.sampler is None else round(self.sampler.phase_mib(shown))

        with self.progress.stage(shown):
            return converse(command, self.settings, memory)


@pytest.fixture(scope="module")
def ground(
    gpu_to_itself: None,  # noqa: ARG001
    environment: EnvironmentRecorded,  # noqa: ARG001 - for the report of a run of doors alone
    settings: Settings,
    capabilities: Capabilities,
    sampler: Sampler | None,
    progress: Progress,
) -> Ground:
    """For the doors, one after the other."""
    return Ground(settings, capabilities, lmdeploy_program(settings.rehearse), sampler, progress)


@pytest.fixture(scope="module")
def source_chat(ground: Ground, checkpoint: Checkpoint) -> Said:
    """Section 2.3: `lmdeploy chat` on the checkpoint as it came."""
    return ground.chat(checkpoint.folder)


@pytest.fixture(scope="module")
def smaller_cache_chat(ground: Ground, checkpoint: Checkpoint) -> Said:
    """Section 3.2.1: the same with half the share for the KV cache."""
    return ground.chat(checkpoint.folder, share=HOMEWORK_SHARE)


@pytest.fixture(scope="module")
def quantized_chat(ground: Ground, quantized: QuantizedCheckpoint) -> Said:
    """The W4A16 checkpoint in the terminal."""
    return ground.chat(quantized.folder, model_format="awq", share=HOMEWORK_SHARE)


@contextmanager
def gradio(program: Program, url: str, folder: Path, timeout: float) -> Iterator[tuple[str, str]]:
    """`lmdeploy serve gradio` in front of a server: the page's address and the command, while the block lasts.

    :raises ServerError: it ended, or does not listen in time.
    """
    port, log = free_port(LOOPBACK), folder / "gradio.log"
    command = gradio_command(program, url, LOOPBACK, port)
    shown = " ".join(command.shown)
    with running(
        command.argv,
        log=log,
        env={**os.environ, **command.env, "GRADIO_ANALYTICS_ENABLED": "False"},
        ready=lambda: bind_error(LOOPBACK, port) is not None,
        timeout=timeout,
        not_ready=lambda how, end: ServerError(
            f"Gradio's page did not come up: {how}",
            where=shown,
            remedy="`pytest --doctor` knows versions of gradio that lmdeploy does not take",
            detail=end,
        ),
    ):
        yield f"http://{LOOPBACK}:{port}", shown
