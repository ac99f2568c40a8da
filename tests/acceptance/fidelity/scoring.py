"""The reference at work: a server is asked, and what it said is scored in a process of its own."""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from fixtures.ask.load import CHAT, Endpoint
from fixtures.ask.scoring import ScoringEndpoint
from fixtures.errors import CheckpointError
from fixtures.lmdeploy.commands import ROOT
from fixtures.process.command import run_logged
from fixtures.process.logfile import tail
from fixtures.rehearsal.forecast import available_memory
from fixtures.run.measurement import not_measured
from tests.acceptance.fidelity.asking import WHOLE, Reply, replies

TIMEOUT_S: Final = 900.0
"""For the reference: half a minute on a GPU; on a CPU a 1.8B takes minutes."""

SPARE: Final = 1.4
"""Of the weights' bytes in float32: what must be free for them and for a pass."""


def asked(endpoint: Endpoint, timeout: float, seed: str, size: tuple[int, int] = WHOLE) -> list[Reply]:
    """Ask a server on this machine; `timeout` in seconds for one answer. Raises RequestError where it does not."""
    server = ScoringEndpoint(endpoint, timeout)
    return replies(lambda body: server.answer(CHAT, {"model": endpoint.model, **body}), seed, *size)


def bytes_needed(*folders: Path) -> float:
    """Return the memory for one of these checkpoints after another, unquantized and in float32."""
    files = ([*folder.glob("*.safetensors"), *folder.glob("*.bin")] for folder in folders)
    return SPARE * 2 * max(sum(file.stat().st_size for file in weights) for weights in files)


def must_fit(*folders: Path) -> None:
    """Look at the memory of the machine, which holds the weights before a GPU does. Raises NotMeasured."""
    needed, free = bytes_needed(*folders), available_memory()
    if needed > free:
        not_measured("fidelity_memory", needed=needed / 2**30, free=free / 2**30)


def scored(source: Path, artefact: Path, servers: Sequence[Sequence[Reply]], on_cpu: bool = False) -> dict[str, Any]:
    """Score what servers said by the reference; what comes back is in `reference`'s words.

    :param artefact: the source in W4A16, with the tokenizer and the template that the servers have.
    :raises CheckpointError: the reference fails, and its last words.
    """
    job = {
        "weights": {"bf16": str(source.resolve()), "w4a16": str(artefact.resolve())},
        "servers": [[asdict(one) for one in told] for told in servers],
    }
    with TemporaryDirectory() as name:
        files = [Path(name) / file for file in ("job.json", "raw.npz", "log")]
        files[0].write_text(json.dumps(job), encoding="utf-8")
        done = run_logged(
            [sys.executable, "-m", "tests.acceptance.fidelity.reference", *map(str, files[:2])],
            log=files[2],
            cwd=ROOT,
            env={**os.environ, **({"CUDA_VISIBLE_DEVICES": ""} if on_cpu else {})},
            timeout=TIMEOUT_S,
            on_line=lambda _: None,
        )
        if done.exit_code:
            raise CheckpointError("fidelity_reference", where=source.name, detail=tail(files[2], 4000))
        return dict(np.load(files[1]))
