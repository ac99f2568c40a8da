"""The scan for leaks finds what it is for, and nothing in what the project has published."""

from pathlib import Path

import pytest

from tests.unit.leaks import leaks

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("server.log", b"ok\nloads /home/someone/models/m now\n", "server.log: loads /home/someone/models/m now"),
        ("a/post.md", "在/root/share/m 里".encode(), "a/post.md: 在/root/share/m 里"),
        ("events.jsonl", b'"token hf_abcdefghijklmnopqrst"', 'events.jsonl: "token hf_abcdefghijklmnopqrst"'),
        ("report.html", b"<script>/^x$/.test()</script><p>/srv/bob/x</p>", "report.html: <p>/srv/bob/x</p>"),
        ("verdict.png", b"\x89PNG theirs", "verdict.png: secret number 0"),
    ],
)
def test_a_leak_is_found(name: str, content: bytes, told: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(content)
    assert leaks(tmp_path, ["theirs"]) == [told]


BUILT_IN = "/project/cpp/json_schema_converter.cc"
"""Where xgrammar's wheel was built, as its own error message says."""


@pytest.mark.parametrize("folder", ["reports", "records"])
def test_what_the_project_has_published_leaks_nothing(folder: str) -> None:
    assert [leak for leak in leaks(DOCS / folder) if BUILT_IN not in leak] == []
