"""Pictures are an extra: without a browser there are none, and nothing fails."""

from pathlib import Path

import pytest

from fixtures.report import pictures


@pytest.mark.parametrize("there", [False, True], ids=["no browser", "one that fails"])
def test_without_a_working_browser_there_are_no_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    fake = tmp_path / "chromium"
    if there:
        fake.write_text("#!/bin/sh\nexit 1\n")
        fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert pictures.browser() == (str(fake) if there else None)
    (tmp_path / "report.html").write_text("<html></html>")
    assert pictures.take(tmp_path / "report.html", tmp_path) == []
