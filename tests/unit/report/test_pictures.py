"""Pictures are an extra: without a browser there are none, and nothing fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.report import pictures


def test_without_a_browser_there_are_no_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert pictures.browser() is None
    assert pictures.take(tmp_path / "report.html", tmp_path) == []


def test_a_browser_that_fails_costs_only_the_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "chromium"
    fake.write_text("#!/bin/sh\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert pictures.browser() == str(fake)
    (tmp_path / "report.html").write_text("<html></html>")
    assert pictures.take(tmp_path / "report.html", tmp_path) == []
