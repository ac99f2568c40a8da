"""The whole homework in a real pytest run: its evidence is sound, and holds nothing that must not be published."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.report.verification import verify
from tests.rehearsal.conftest import REHEARSED, Run, run_suite
from tests.unit.leaks import leaks

TOKEN = "token-of-the-hub-0123"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The evidence of a rehearsal by a user with a token, in a folder of their own."""
    done = run_suite(tmp_path_factory.mktemp("home-of-someone"), *REHEARSED, HF_TOKEN=TOKEN)
    assert done.status == 0, done.output[-3000:]
    return done


def test_report_follows_from_the_events(run: Run) -> None:
    assert not verify(run.folder).problems
    assert run.summary.verdict.outcome == "rehearsal"


def test_key_was_required(run: Run) -> None:
    assert run.summary.launched is not None
    assert run.summary.launched.argv[-2:] == ["--api-keys", "KEY_OF_THIS_RUN"]
    assert [event.value for event in run.summary.measurements("server.requires_key")] == [[401, 401], [401, 401]]


def test_evidence_holds_nothing_private(run: Run) -> None:
    assert leaks(run.folder, [TOKEN, "home-of-someone", str(Path.home() / ".cache")]) == []
