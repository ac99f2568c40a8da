"""The scan for leaks finds what it is for, and nothing in what the project has published."""

from pathlib import Path

import pytest

from tests.unit.leaks import leaks
from tests.unit.waiting import ROOT

LEAKING = {
    "server.log": b"ok\nloads /home/someone/models/m now\n",
    "post.md": "在/root/share/m 里".encode(),
    "events.jsonl": b'"token hf_abcdefghijklmnopqrst"',
    "report.html": b"<script>/^x$/.test()</script><p>/srv/bob/x</p>",
    "verdict.png": b"\x89PNG theirs",
}
BUILT_IN = "/project/cpp/json_schema_converter.cc"
"""Where xgrammar's wheel was built, as its own error message says."""


def test_every_leak_is_found(tmp_path: Path) -> None:
    for name, content in LEAKING.items():
        (tmp_path / name).write_bytes(content)
    assert [leak.partition(":")[0] for leak in leaks(tmp_path, ["theirs"])] == sorted(LEAKING)


@pytest.mark.parametrize("folder", ["reports", "records"])
def test_what_the_project_has_published_leaks_nothing(folder: str) -> None:
    assert [leak for leak in leaks(ROOT / "docs" / folder) if BUILT_IN not in leak] == []
