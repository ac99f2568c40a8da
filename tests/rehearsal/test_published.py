"""The files of a checkpoint as they were published, with random weights of two layers, through a whole rehearsal.

The files are not this project's to carry: ACCEPTANCE_PUBLISHED names a folder with config.json, generation_config.json,
the tokenizer and the model's code. Without it the tests are skipped.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from fixtures.ask.story import MAX_TOKENS
from fixtures.evidence.events import Exchanged, RehearsalForecast, TryJudged
from fixtures.lmdeploy.commands import ROOT
from fixtures.process.tree import below, runs
from fixtures.rehearsal.published import write_published
from tests.rehearsal.conftest import RUN_TIMEOUT_S, Run, run_suite
from tests.unit.waiting import eventually

FILES: Final = "ACCEPTANCE_PUBLISHED"
INTERRUPT_TIMEOUT_S: Final = 120
"""A report is still written, on a busy machine."""
HELD: Final = {"environment.recorded", "server.named_model", "server.requires_key", "quantization.artefact"}
"""Beside what the homework asks of the quantization."""


REHEARSED: Final = ("--rehearse", "--calibration=local")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint."""
    if not (files := os.environ.get(FILES)):
        pytest.skip(f"{FILES} names no folder with the files of a published checkpoint")
    folder = tmp_path_factory.mktemp("published") / "internlm2_5-published-chat"
    write_published(Path(files), folder, layers=2)
    return folder


@pytest.fixture(scope="module")
def run(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A rehearsal of it."""
    return run_suite(tmp_path_factory.mktemp("run"), *REHEARSED, f"--checkpoint={published}")


def test_published_files_are_quantized_served_and_fail_for_what_the_replies_say(run: Run) -> None:
    found = {one.claim.id: one.state for one in (*run.summary.verdict.claims, *run.summary.beyond)}
    assert {state for claim, state in found.items() if claim in HELD or claim.startswith("quantization.")} == {"passed"}
    assert {state for claim, state in found.items() if claim.startswith(("chat.", "tools."))} == {"failed"}
    answered = [entry.event for entry in run.summary.entries if isinstance(entry.event, Exchanged)]
    assert {one.status for one in answered} == {200}
    reasons = [entry.event.reason for entry in run.summary.entries if isinstance(entry.event, TryJudged)]
    assert {reason["id"].partition(".")[0] for reason in reasons} == {"fault"}


def test_large_checkpoint_is_foretold_and_its_steps_get_the_time(run: Run) -> None:
    (told,) = (entry.event for entry in run.summary.entries if isinstance(entry.event, RehearsalForecast))
    assert told.forecast["memory"] < told.machine["memory"]
    assert told.timeouts["request_timeout"] >= told.forecast["token"] * MAX_TOKENS


@pytest.mark.parametrize(
    ("moment", "cached"),
    [
        ("this rehearsal will take", False),
        ("quantize: ", False),
        ("start the server: ", True),
        ("test_tools.py ", True),
    ],
)
def test_interrupt_leaves_nothing_running(published: Path, run: Run, tmp_path: Path, moment: str, cached: bool) -> None:
    """Ctrl-C once the output says that the moment has come."""
    work = run.folder.parents[1] / "work" if cached else tmp_path / "work"
    command = [sys.executable, "-m", "pytest", "tests", *REHEARSED, f"--checkpoint={published}", "--report-lang=en"]
    command += [f"--work-dir={work}", f"--evidence-dir={tmp_path / 'evidence'}", "-o", f"cache_dir={tmp_path}"]
    output = tmp_path / "output"
    with output.open("wb") as written:
        started = subprocess.Popen(command, cwd=ROOT, stdout=written, stderr=written, start_new_session=True)
    try:
        eventually(lambda: moment in output.read_text("utf-8", "replace"), RUN_TIMEOUT_S)
        children = below(started.pid)
        started.send_signal(signal.SIGINT)
        assert started.wait(INTERRUPT_TIMEOUT_S) == pytest.ExitCode.INTERRUPTED
    finally:
        started.kill()
    assert [one for one in children if runs(one)] == []
