"""Claims: declared once where they are tested, and failed by a model of random words where they are about words."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.evidence import read
from fixtures.judge.verdict import Happened, judge_claim
from fixtures.run.claims import declared, of_suite
from fixtures.suites import HOMEWORK
from tests.unit.programs.noise_server import NoiseServer
from tests.unit.waiting import ROOT

CONFTEST = """
from pathlib import Path
from fixtures.run import claims

claims.FOLDER = Path(__file__).parent
pytest_plugins = ["fixtures.run.settings", "fixtures.session.selection"]
"""
FAULTY = """
import pytest
from fixtures.run.claims import claim

@pytest.mark.claim("tools.ad")
def test_unknown(): pass

@claim("tools.again", part="tools", zh="", en="", beyond=True)
def test_declared(): pass

@claim("tools.again", part="tools", zh="", en="", beyond=True)
def test_declared_again(): pass

@claim("chat.new", part="chat", zh="", en="")
def test_not_in_the_list(): pass
"""


def test_claims_that_cannot_be_judged_are_usage_errors_with_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_faulty.py").write_text(FAULTY)
    # What the fork server has imported would be declared already.
    argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", "."]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        argv, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    homework = (ROOT / "fixtures" / "homework.py").read_text(encoding="utf-8").splitlines()
    line = homework.index('    "tools.add",') + 1
    file = tmp_path / "test_faulty.py"
    for said in (
        "test_faulty.py:5: unknown claim 'tools.ad'",
        f"{file}:8: the claim tools.again is declared twice: {file}:8; {file}:11",
        f"{file}:14: the claim chat.new is not in the homework's list",
        f"fixtures/homework.py:{line}: no test declares the claim tools.add",
    ):
        assert said in done.stderr, done.stderr


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
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/acceptance", "-m", "gpu", f"--base-url={noise}", *kept],
        cwd=ROOT, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    (folder,) = tmp_path.glob("*/events.jsonl")
    run = Happened(read(folder.parent))
    states = {claim.id: judge_claim(run, claim).state for claim in of_suite(HOMEWORK.id) if claim.is_about_words}
    assert len(states) == 8
    assert set(states.values()) == {"failed"}, f"{states}\n{done.stdout[-3000:]}"
    assert judge_claim(run, declared("server.named_model")).passed, "nothing could pass, so no failure means anything"
