"""What the suite takes by itself: measured, and small."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from fixtures.evidence import read
from fixtures.overhead import own
from fixtures.overhead.own import RUN, sampling
from fixtures.report.catalogue import LANGUAGES, Texts
from fixtures.report.document import document, to_text
from fixtures.report.page import standalone
from fixtures.report.summary import summarize


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
