"""Ask every server of the comparison in turn: start it, score the text, ask for next tokens, try chains, stop it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from xprocess import XProcess

from fixtures.ask.questions import GREEDY, Topic, chain
from fixtures.ask.tool_calls import try_topic
from fixtures.ask.trial_runs import Judged, run_all
from fixtures.client.client import Client
from fixtures.errors import GpuError
from fixtures.evidence import Evidence
from fixtures.evidence.events import EnvironmentRecorded
from fixtures.gpu.kv_capacity import LOG_ENVIRONMENT, read_log
from fixtures.gpu.memory_model import Geometry, Knobs
from fixtures.gpu.sampler import Sampler, wait_released
from fixtures.homework import MODEL_NAME
from fixtures.judge.profile import CONCURRENCY
from fixtures.judge.trials import all_of
from fixtures.lmdeploy.capabilities import Capabilities
from fixtures.lmdeploy.commands import ServeCommand, lmdeploy_program, serve_command
from fixtures.model.checkpoint import Checkpoint
from fixtures.model.quantization import QuantizedCheckpoint
from fixtures.process.port import free_port
from fixtures.run.progress import Progress
from fixtures.run.settings import Settings
from fixtures.server.api_server import RunningServer, serve
from tests.acceptance.quality.configurations import BF16, CONFIGURATIONS, Configuration
from tests.acceptance.quality.endpoint import ScoringEndpoint
from tests.acceptance.quality.events import QualityAsked, QualityMeasured
from tests.acceptance.quality.limits import FIRST_TRIALS, PROMPTS, REHEARSED_PROMPTS, TRIALS
from tests.acceptance.quality.passages import Prompt, Tokens, fingerprint, passages, prompts, tokens
from tests.acceptance.quality.result import Quality

CHAINS = "quality.chains"
"""The name under which the two-step chains are drawn: greedy, so that what differs is the server."""


@dataclass(frozen=True)
class Ground:
    """What every server stands on."""

    settings: Settings
    api_key: str = field(repr=False)
    table: Capabilities
    geometry: Geometry
    sampler: Sampler | None
    evidence: Evidence
    progress: Progress
    xprocess: XProcess


@dataclass(frozen=True)
class Questions:
    """What every server is asked: the same token ids, whoever made them."""

    texts: tuple[Tokens, ...]
    prompts: tuple[Prompt, ...]


@pytest.fixture(scope="session")
def quality(
    checkpoint: Checkpoint,
    quantized: QuantizedCheckpoint,
    environment: EnvironmentRecorded,
    capabilities: Capabilities,
    settings: Settings,
    api_key: str,
    sampler: Sampler | None,
    evidence: Evidence,
    progress: Progress,
    xprocess: XProcess,
) -> Quality:
    """The comparison, made once. Raises AcceptanceError where a server does not start, dies, or does not answer."""
    del environment  # only asked for so that the events say on what
    geometry = Geometry.of(checkpoint.config)
    ground = Ground(settings, api_key, capabilities, geometry, sampler, evidence, progress, xprocess)
    plain = tool_aware_copy(checkpoint.folder, checkpoint.name, settings.work_dir / "quality", capabilities)
    found = compare(ground, plain, quantized.folder)
    name = checkpoint.origin if checkpoint.origin != "path" else checkpoint.name
    keep(request.config, settings, evidence.folder, name, found, environment)
    return found


def compare(ground: Ground, unquantized: Path, quantized: Path) -> Quality:
    """Start and ask the servers one after the other; everything that they answer is in the evidence.

    :param unquantized: folder of the checkpoint as it came, with a chat template that shows tools.
    """
    questions: Questions | None = None
    trials, rehearse = FIRST_TRIALS, ground.settings.rehearse
    asked: QualityAsked | None = None
    measured: list[QualityMeasured] = []
    for configuration in CONFIGURATIONS:
        folder = unquantized if configuration.weights == "bf16" else quantized
        with ground.progress.stage(configuration.name) as on_line, _serving(ground, configuration, folder) as started:
            server, command, vram_mib = started
            began = time.monotonic()
            root = f"http://{server.host}:{server.port}"
            scoring = ScoringEndpoint(root, ground.settings.request_timeout, server.api_key)
            on_line("scoring the text")
            questions = questions or read_questions(scoring, REHEARSED_PROMPTS if rehearse else PROMPTS)
            # The unquantized server is asked twice: what differs then is noise.
            askings = range(2 if configuration == BF16 else 1)
            losses = [[scoring.loss(text.ids) for text in questions.texts if text.scored] for _ in askings]
            next_tokens = [_next_tokens(scoring, questions.prompts) for _ in askings]
            on_line("two-step chains")
            right = _chains(ground, server, configuration, range(1, FIRST_TRIALS + 1))
            if configuration == BF16:
                trials = TRIALS if any(right) and not rehearse else FIRST_TRIALS
                asked = event_of(questions, trials)
                ground.evidence.append(asked)
            right += _chains(ground, server, configuration, range(FIRST_TRIALS + 1, trials + 1))
            answered = QualityMeasured(
                name=configuration.name,
                argv=list(command.shown),
                losses=losses,
                next_tokens=next_tokens,
                right=right,
                vram_mib=vram_mib,
                kv_tokens=_kv_tokens(ground, configuration, server),
                start_seconds=server.started_seconds,
                seconds=round(time.monotonic() - began, 3),
            )
        ground.evidence.append(answered)
        measured.append(answered)
    assert asked is not None
    return Quality(asked, tuple(measured))


def read_questions(scoring: ScoringEndpoint, count: int) -> Questions:
    """The fixed text as the server's tokenizer cuts it, with `count` prompts of each passage."""
    texts = []
    for passage in passages():
        first, *others = passage.segments
        encoded = scoring.encode([first], bos=True) + (scoring.encode(others, bos=False) if others else [])
        texts.append(tokens(passage, encoded))
    return Questions(tuple(texts), tuple(prompt for text in texts for prompt in prompts(text, count)))


def event_of(questions: Questions, trials: int) -> QualityAsked:
    """What is asked, without the words: those are in the repository."""
    return QualityAsked(
        fingerprint=fingerprint(),
        passages=[[text.part, len(text.ids) - 1] for text in questions.texts if text.scored],
        prompts=[[prompt.part, prompt.following] for prompt in questions.prompts],
        trials=trials,
    )


def _next_tokens(scoring: ScoringEndpoint, asked: Sequence[Prompt]) -> list[int]:
    with ThreadPoolExecutor(CONCURRENCY, thread_name_prefix="prompt") as pool:
        return list(pool.map(scoring.next_token, (prompt.ids for prompt in asked)))


def _chains(ground: Ground, server: RunningServer, configuration: Configuration, numbers: range) -> list[bool]:
    """Whether each of these trials was right."""
    if not numbers:
        return []

    def attempt(client: Client, number: int) -> Judged:
        return try_topic(client, Topic(chain, GREEDY), CHAINS, numbers[number - 1], ground.table)

    client = Client(server, ground.settings.request_timeout, ground.evidence.append)
    try:
        claim = f"{CHAINS}, {configuration.name}"
        outcome = run_all(client, ground.evidence, claim, attempt, all_of(len(numbers)))
    finally:
        client.close()
    return outcome.rights


@contextmanager
def _serving(
    ground: Ground, configuration: Configuration, folder: Path
) -> Iterator[tuple[RunningServer, ServeCommand, int | None]]:
    """A server, its command, and the device memory in use when it was ready, MiB.

    It is not in the run's evidence as a deployment: the homework's verdict is about another one.
    """
    settings = replace(ground.settings, quant_policy=configuration.quant_policy)
    command = serve_command(
        lmdeploy_program(settings.rehearse),
        folder,
        MODEL_NAME,
        configuration.model_format,
        free_port(settings.server_name),
        settings,
        ground.table,
        ground.api_key,
    )
    sampler = ground.sampler
    idle = _mark(sampler, f"{configuration.name}: idle")
    with serve(
        ground.xprocess,
        replace(command, env={**command.env, **LOG_ENVIRONMENT}),
        run_id=f"{ground.evidence.folder.name}-quality",
        start_timeout=settings.start_timeout,
        stop_timeout=settings.stop_timeout,
    ) as server:
        ready = _mark(sampler, f"{configuration.name}: ready")
        yield server, command, None if ready is None else round(ready)
    if sampler is not None and idle is not None:
        release = wait_released(sampler.last_mib, idle)
        if not release.complete:
            raise GpuError(
                f"{release.used_mib:.0f} MiB are still in use after {release.seconds:.0f} s",
                where=configuration.name,
                remedy="see with nvidia-smi who holds them: the next server's memory could not be measured",
            )


def _mark(sampler: Sampler | None, phase: str) -> float | None:
    """Begin a phase; memory in use, MiB, where it is watched."""
    if sampler is None:
        return None
    sampler.mark(phase)
    return sampler.phase_mib(phase)


def _kv_tokens(ground: Ground, configuration: Configuration, server: RunningServer) -> int | None:
    """As the log says; None where there is no GPU, or an engine that does not say it."""
    if ground.sampler is None or ground.settings.backend != "turbomind":
        return None
    log = server.log.read_text(encoding="utf-8", errors="replace")
    knobs = Knobs(ground.settings.cache_max_entry_count, configuration.quant_policy, ground.settings.tp)
    return read_log(log, ground.geometry, knobs).tokens
