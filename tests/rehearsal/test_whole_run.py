"""The whole homework in a real pytest run: its evidence is sound, and holds nothing that must not be published."""

from pathlib import Path

import pytest

from fixtures.report.verification import verify
from tests.rehearsal.conftest import REHEARSED, run_suite
from tests.unit.leaks import leaks

TOKEN = "token-of-the-hub-0123"
CHALLENGE = "西瓜 Alpha-7"


def test_whole_run_leaves_sound_evidence_without_anything_private(tmp_path_factory: pytest.TempPathFactory) -> None:
    """By a user with a token, in a folder of their own."""
    run = run_suite(tmp_path_factory.mktemp("home-of-someone"), *REHEARSED, f"--challenge={CHALLENGE}", HF_TOKEN=TOKEN)
    assert run.status == 0, run.output[-3000:]
    assert not verify(run.folder, CHALLENGE).problems
    assert run.summary.verdict.outcome == "rehearsal"
    assert run.summary.launched is not None
    assert run.summary.launched.argv[-2:] == ["--api-keys", "KEY_OF_THIS_RUN"]
    assert [event.value for event in run.summary.measurements("server.requires_key")] == [[401, 401], [401, 401]]
    assert leaks(run.folder, [TOKEN, "home-of-someone", str(Path.home() / ".cache")]) == []
