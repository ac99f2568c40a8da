"""Which claims are about what the model says: a model of random words fails every one of them."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.evidence import read
from fixtures.judge.verdict import Happened, judge_claim
from fixtures.run import claims
from fixtures.run.claims import Claim
from tests.unit.programs.noise_server import NoiseServer

ROOT = Path(__file__).parents[3]


@pytest.fixture
def noise() -> Iterator[str]:
    server = NoiseServer()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server.base_url
    server.shutdown()
    server.server_close()


def test_random_words_fail_every_claim_about_what_the_model_says(noise: str, tmp_path: Path) -> None:
    """Under the homework's profile, whose one right try of five is easier to come by than a rate, and with replies that
    end by themselves: endless ones fail by that alone."""
    kept = [f"--evidence-dir={tmp_path}", f"--work-dir={tmp_path}", "-o", f"cache_dir={tmp_path / 'cache'}"]
    options = [f"--base-url={noise}", "--report-pictures=off", *kept]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/acceptance", "-m", "gpu or depth", *options],
        cwd=ROOT, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    (folder,) = tmp_path.glob("*/events.jsonl")
    run = Happened(read(folder.parent))
    states = {
        claim.id: judge_claim(run, claim).state for claim in (*claims.HOMEWORK, *claims.DEPTH) if claim.is_about_words
    }
    assert set(states.values()) == {"failed"}, f"{states}\n{done.stdout[-3000:]}"
    assert judge_claim(run, claims.BY_ID["server.named_model"]).passed, (
        "nothing could hold, so no failure means anything"
    )


def test_a_claim_is_about_words_or_says_what_it_is_about_instead() -> None:
    assert Claim("chat.x", "chat").is_about_words
    assert not Claim("chat.x", "chat", structural="memory").is_about_words
    assert not Claim("deployment.x", "deployment").is_about_words
