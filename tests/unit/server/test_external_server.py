"""A server that somebody else runs: reached, refused, and what is not measured about it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fixtures.errors import ServerDied
from fixtures.evidence import read
from fixtures.judge.verdict import Happened, judge_claim
from fixtures.process.port import free_port
from fixtures.run.claims import declared, of_suite
from fixtures.server.external_server import ExternalServer
from fixtures.suites import HOMEWORK
from tests.unit.leaks import leaks
from tests.unit.programs.chat_server import Chat, Noise
from tests.unit.serving import port_of
from tests.unit.waiting import ROOT

KEY, TOKEN = "right-key-that-is-secret", "token-of-the-hub-0123"


@dataclass(frozen=True)
class Judged:
    """What a run left, and what it said on the console."""

    evidence: Path
    said: str


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with port_of(Chat) as port:
        yield f"http://127.0.0.1:{port}"


def test_server_that_lists_its_models_is_alive(address: str) -> None:
    for server in (ExternalServer(f"{address}/v1", "any"), ExternalServer(f"{address}/guarded/v1", "right-key")):
        server.check_alive()


def test_server_that_does_not_answer_is_told_without_the_key(address: str) -> None:
    guarded = ExternalServer(f"{address}/guarded/v1", "wrong-key")
    with pytest.raises(ServerDied, match="HTTP 401") as refused:
        guarded.check_alive()
    assert "wrong-key" not in str(refused.value) + repr(guarded)
    with pytest.raises(ServerDied, match="refused"):
        ExternalServer(f"http://127.0.0.1:{free_port('127.0.0.1')}/v1", "any").check_alive()


def test_key_is_not_sent_where_a_redirect_points(address: str) -> None:
    with pytest.raises(ServerDied, match="HTTP 302"):
        ExternalServer(f"{address}/moved/v1", "right-key").check_alive()


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    """A run that judges a server of random words, under the homework's profile: one right try of five is easier to come
    by than a rate. Its replies end by themselves: endless ones fail by that alone."""
    folder = tmp_path_factory.mktemp("judged")
    with port_of(Noise) as port:
        options = [f"--base-url=http://127.0.0.1:{port}/v1", "--api-key", KEY, f"--evidence-dir={folder / 'evidence'}"]
        options += ["-o", f"cache_dir={folder / 'cache'}", "-rs", "--report-pictures=off", "--report-lang=en"]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "tests/acceptance", "-m", "gpu", f"--work-dir={folder}", *options],
            cwd=ROOT, env={**os.environ, "HF_TOKEN": TOKEN}, capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip
    (kept,) = (folder / "evidence").iterdir()
    return Judged(kept, done.stdout)


def test_random_words_fail_every_claim_about_what_the_model_says(judged: Judged) -> None:
    run = Happened(read(judged.evidence))
    states = {claim.id: judge_claim(run, claim).state for claim in of_suite(HOMEWORK.id) if claim.is_about_words}
    assert len(states) == 8
    assert set(states.values()) == {"failed"}, f"{states}\n{judged.said[-3000:]}"
    assert judge_claim(run, declared("server.named_model")).passed, "nothing could pass, so no failure means anything"


def test_claims_about_the_process_are_not_measured(judged: Judged) -> None:
    run = Happened(read(judged.evidence))
    others = [claim for claim in of_suite(HOMEWORK.id) if claim.part == "deployment"]
    skipped = {judge_claim(run, claim).cause["id"] for claim in others if claim.id != "server.named_model"}
    assert skipped == {"not_measured.server_elsewhere"}
    assert "not measured: the server at --base-url is not this suite's" in judged.said


def test_keys_of_others_are_not_published(judged: Judged) -> None:
    assert leaks(judged.evidence, [KEY, TOKEN]) == []
    assert KEY not in judged.said
