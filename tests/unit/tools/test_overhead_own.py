"""What the suite takes by itself: measured, and small."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from subprocess import CalledProcessError, CompletedProcess

import pytest

from fixtures.evidence import read
from fixtures.report.document import document, to_text
from fixtures.report.page import standalone
from fixtures.report.summary import summarize
from fixtures.texts import LANGUAGES, Texts
from tools.overhead import own
from tools.overhead.own import ROUNDS, RUN, collecting, sampling, stolen


def test_collecting_is_measured_as_it_is_for_a_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """An image for containers may switch bytecode off; the suite would be compiled anew in every round."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("KEPT", "1")
    found: list[dict[str, str]] = []

    def run(argv: list[str], *, env: dict[str, str], **_: object) -> CompletedProcess[bytes]:
        found.append(env)
        return CompletedProcess(argv, 0)

    monkeypatch.setattr(own.subprocess, "run", run)
    assert len(collecting("-m", "gpu")) == ROUNDS
    assert [("PYTHONDONTWRITEBYTECODE" in env, "KEPT" in env) for env in found] == [(False, True)] * (ROUNDS + 1)


def test_a_collection_that_fails_is_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own.subprocess, "run", lambda argv, **_: CompletedProcess(argv, 2))
    with pytest.raises(CalledProcessError):
        collecting()


def test_what_other_machines_had_is_told() -> None:
    before = "cpu  100 0 20 1000 0 0 0 50 0 0\ncpu0 1 2 3"
    after = "cpu  150 0 30 1020 0 0 0 70 0 0\ncpu0 1 2 3"
    assert stolen(before, after) == 0.2
    assert stolen(after, after) == 0


def test_the_suites_own_tests_are_timed_with_what_they_start(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = "import time\nwhile time.process_time() < 0.2: pass\nprint('FAILED here\\n1 failed'); raise SystemExit(1)"
    run = own.subprocess.run
    monkeypatch.setattr(own.subprocess, "run", lambda _, **how: run([sys.executable, "-S", "-c", busy], **how))
    found = own.unit_tests()
    assert (found["exit_code"], found["failed"], found["said"]) == (1, ["FAILED here"], "1 failed")
    assert 0.2 <= found["processor_seconds"] <= found["seconds"] + 0.1


def test_a_loop_says_how_fast_the_machine_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "LOOP", 200_000)
    assert 0 < own.looping() < 1


def test_the_sampler_takes_less_than_a_hundredth_of_a_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "SAMPLED_S", 1.0)
    assert 0 < sampling() < 0.01


def test_a_report_is_made_in_less_than_a_second(tmp_path: Path) -> None:
    """Of processor time: the machine may be busy."""
    began = time.process_time()
    run = summarize(read(RUN))
    page = standalone(run, Texts(LANGUAGES[0]))
    (tmp_path / "report.html").write_text(page, encoding="utf-8")
    to_text(document(run, "0" * 64))
    assert time.process_time() - began < 1.0
    assert len(page) > 10_000
