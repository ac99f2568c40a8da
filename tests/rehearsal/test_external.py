"""`--base-url` against a server that runs already: what it can decide is decided, the rest is not measured."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fixtures.evidence import read
from fixtures.evidence.events import ClaimsSelected
from fixtures.evidence.seal import verify
from fixtures.judge.verdict import Happened, judge, judge_claim
from fixtures.run.claims import ALL
from tests.rehearsal.conftest import ROOT, Server, serve

RUN_TIMEOUT_S = 240
"""Measured well under a minute; the rest is for a machine that is busy with other things."""
KEY = "sk-of-the-rehearsal"
WORDS = "chat.replies_in_chinese"
OWNED = ("environment.recorded", "quantization.", "vram.", "server.requires_key")
"""What lies behind an API: files, process and memory."""


@dataclass(frozen=True)
class Run:
    """A finished pytest run against a server, and where it left its evidence."""

    status: int
    output: str
    folder: Path


def judge_server(url: str, folder: Path, *options: str) -> Run:
    kept = [f"--evidence-dir={folder}", f"--work-dir={folder / 'work'}", "-o", f"cache_dir={folder / 'cache'}"]
    command = [sys.executable, "-m", "pytest", "tests", f"--base-url={url}/v1", "--report-pictures=off", *kept]
    done = subprocess.run(
        [*command, *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=RUN_TIMEOUT_S,
        check=False,
    )
    return Run(done.returncode, done.stdout + done.stderr, next(folder.glob("*/events.jsonl")).parent)


@pytest.fixture(scope="module")
def run(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return judge_server(server.url, tmp_path_factory.mktemp("evidence"), "-m", "gpu")


def test_what_needs_no_ownership_is_decided_and_the_rest_is_not_measured(run: Run) -> None:
    happened = Happened(tuple(read(run.folder)))
    decided = [judge_claim(happened, claim) for claim in ALL if claim.id in _selected(run)]
    owned = [found for found in decided if found.claim.id.startswith(OWNED)]
    assert {(found.state, found.cause["id"]) for found in owned} == {("skipped", "not_measured.server_elsewhere")}
    others = {found.claim.id: found.state for found in decided if found not in owned}
    assert set(others.values()) == {"passed"}, f"{others}\n{run.output[-3000:]}"
    assert {WORDS, "server.named_model", "tools.chain"} <= set(others)


def test_a_run_from_outside_accepts_no_deployment(run: Run) -> None:
    """No claim failed, and yet no verdict can be given on files, memory and process that were not seen."""
    verdict = judge(read(run.folder))
    assert verdict.outcome == "not_accepted"
    codes = {reason.code for reason in verdict.reasons}
    assert {"claim_skipped", "no_server", "model_unknown"} <= codes
    assert "claim_failed" not in codes
    assert "beyond_failed" not in codes
    assert not verify(run.folder).problems
    assert run.status == 0, run.output[-3000:]


@pytest.fixture(scope="module")
def guarded(quantized: Path, tmp_path_factory: pytest.TempPathFactory, hub_cache: Path) -> Iterator[Server]:
    """A server that answers only with its key."""
    log = tmp_path_factory.mktemp("guarded") / "server.log"
    yield from serve(quantized, log, hub_cache, "--api-keys", KEY)


def test_a_key_opens_a_guarded_server_and_is_kept_nowhere(guarded: Server, tmp_path: Path) -> None:
    right = judge_server(
        guarded.url, tmp_path / "right", "--api-key", KEY, "-m", "gpu", "-k", "names_the_model or calls_add"
    )
    assert "2 passed" in right.output
    kept = b"".join(file.read_bytes() for file in right.folder.rglob("*") if file.is_file())
    assert KEY.encode() not in kept
    wrong = judge_server(guarded.url, tmp_path / "wrong", "--api-key", "another", "-m", "gpu", "-k", "names_the_model")
    assert wrong.status != 0
    assert "--api-key" in wrong.output


def _selected(run: Run) -> set[str]:
    return {id_ for event in Happened(tuple(read(run.folder))).of(ClaimsSelected) for id_ in event.selected}
